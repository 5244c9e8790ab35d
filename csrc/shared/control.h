/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The control protocol between a mount and the daemon: SOCK_SEQPACKET on control.sock in the cache directory, one
 * struct crfs_message and its text per packet, descriptors as SCM_RIGHTS. The mount asks, the daemon answers each
 * question once, in order; while an answer takes long it sends CRFS_BUSY at least every CRFS_BUSY_INTERVAL_MS, so that
 * a mount tells a busy daemon from a stuck one. The connection lives as long as the mount: its end releases all that it
 * held.
 *
 *   mount -> daemon                               daemon -> mount
 *   HELLO   a: version, text        fd: ring      WELCOME a: version   fds: doorbell, objects directory, tmp directory
 *   OPEN    b: again, text        [fd: blob]      OPENED  a: source, b: layers, text: what it resolved to
 *   LAYER   a: source, b: layer, digest           LAYER   a: number in requests, digest    fd: index
 *                                                 ERROR   a: errno, text: one line for a person
 *   HERE    (no answer)
 *
 * The text of HELLO is a list, each part ended by a NUL: where the host mounts, for people to read; the directory that
 * relative paths start from; and then, as NAME=value, what is set of the variables in environment.h. By these, and by
 * no environment of its own, the daemon finds credentials, proxies and policy for this mount.
 *
 * Whose process the mount is, the daemon learns from the credentials that the kernel adds to each packet: HERE is sent
 * for these alone, by the child of a host that has forked.
 *
 * The tmp directory is this mount's own, on the file system of the objects: the daemon removes it, and what is left in
 * it, when the connection ends.
 *
 * OPEN asks for a configuration. `again` is 1 where the text is one that OPENED told: the mount was accepted, and no
 * policy is asked for it once more. OPEN carries the blob where the configuration names a local file: the mount opens
 * it, with its own rights and in its own mount namespace; the text is then the file's absolute path. Layers count from
 * the base, as manifests list them: layer 0 lies below all others. The text of ERROR does not repeat the configuration,
 * which the mount prints before it.
 *
 * `digest` is the sha256 of the layer's TOC; all zeros in a question means "whatever it is". A mount that comes back
 * after the daemon died asks for the text and the digests that it was told first, and gets these or an error, never
 * something else.
 *
 * Version 2: HELLO tells the place; the ring carries a trace. Version 3: HELLO tells the environment; HERE; the names
 * of objects are of two kinds. It stands for all that the two sides share: this protocol, the ring, the doorbell, the
 * index and the names of objects. The rule of negotiation: the mount names the version that it speaks, and the daemon
 * answers with the same one, or with ERROR EPROTO. A change that an older reader would misunderstand raises the
 * version.
 */

#ifndef CRFS_CONTROL_H
#define CRFS_CONTROL_H

#include <stdint.h>

#define CRFS_CONTROL_VERSION 3u
#define CRFS_CONTROL_TEXT_LIMIT 32768u /* bytes of text in a message */
#define CRFS_CONTROL_FD_LIMIT 3
#define CRFS_BUSY_INTERVAL_MS 2000

enum crfs_message_type {
  CRFS_HELLO = 1,
  CRFS_OPEN = 2,
  CRFS_LAYER = 3,
  CRFS_WELCOME = 4,
  CRFS_OPENED = 5,
  CRFS_BUSY = 6,
  CRFS_ERROR = 7,
  CRFS_HERE = 8,
};

struct crfs_message {
  uint32_t type;
  uint32_t a;
  uint32_t b;
  uint32_t text_length; /* bytes that follow; no terminating NUL */
  uint8_t digest[32];
};

#endif
