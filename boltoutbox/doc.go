// Package boltoutbox keeps a connector's notifications in a file until Vantiq has acknowledged them, so that they survive
// the end of the process: what SendNotification has accepted, the next process delivers, in order.
//
// One file serves all sources of a process:
//
//	outbox, err := boltoutbox.Open("/var/lib/connector/outbox.db", boltoutbox.Options{Logger: logger})
//	if err != nil {
//		return err
//	}
//	defer outbox.Close()
//	set, err := connectorset.Load(connectorset.WithOutbox(outbox))
//
// # What accepted means
//
// A notification is accepted when it and everything before it is on the disk. Notifications that are accepted at the same
// time share a transaction and its syncs, so many senders are much faster than one. With Options.NoSync it is accepted when the operating
// system has it: that survives the end of the process, kill -9 included, but not the end of the machine.
//
// Acknowledgements are written together with the next notification, or after a second, and by the end of Run. After a
// process that was killed the next one sends again what was acknowledged last; and as many more as queries were answered
// since the link was last silent, because it may have been these that were acknowledged.
//
// # What can go wrong
//
// A full disk refuses new notifications with an error that says so; what was accepted is kept and sent. After an error of
// fsync nobody knows what the disk holds: everything is refused from then on, until the process starts again. A file that
// was damaged is set aside under a name that says so, what can be read of it is taken over, and the log tells both.
//
// The file is an ordinary bbolt file, see go.etcd.io/bbolt. It is locked by the process that has opened it, through a file
// beside it whose name ends in .lock.
package boltoutbox
