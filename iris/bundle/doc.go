// Package bundle carries workspaces to workers: zip archives that are named by the SHA-256 of their bytes.
//
//	err := bundle.Pack(dir, file)                           // client: the workspace becomes an archive
//	err := store.Put(ctx, want, stream)                     // controller: keeps it, verified
//	path, release, err := cache.Get(ctx, hash, download)    // worker: downloads it once
//	err := bundle.Unpack(path, workspace, bundle.DefaultLimits)
//
// # Guarantees
//
//   - The same tree packs to the same bytes with the same build of Iris, so that it is stored and sent once.
//   - A Store or Cache never holds bytes under a hash that is not theirs. What is incomplete or wrong is
//     removed, and the error is ErrHashMismatch, ErrLimit, or what the other side said.
//   - An archive that somebody puts, opens or asks for is not removed as idle at that moment.
//   - Unpack writes nothing outside its directory, follows no link, makes no device and no setuid file, and
//     stops at its limits, whatever the archive claims. It leaves a whole workspace or none.
//
// # Limits
//
// Pack reads the tree as it is at that moment; it does not notice a file that changes meanwhile. Owners, times
// and extended attributes are not kept. A directory belongs to one Store or Cache at a time: it removes what an
// earlier one left unfinished.
package bundle
