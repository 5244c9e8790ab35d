/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The control protocol between a mount and the daemon: SOCK_SEQPACKET on control.sock in the cache directory, one
 * struct crfs_message and its text per packet, descriptors as SCM_RIGHTS. The mount asks, the daemon answers each
 * question once, in order; while an answer takes long it sends CRFS_BUSY at least every CRFS_BUSY_INTERVAL_MS, so that
 * a mount tells a busy daemon from a stuck one. The connection lives as long as the mount: its end releases all that it
 * held.
 *
 *   mount -> daemon                                   daemon -> mount
 *   HELLO  version, text             fd: ring         WELCOME      version    fds: doorbell, objects, drafts, tmp
 *   OPEN   again, text               [fd: blob]       OPENED       source, layers, text: what it resolved to
 *   LAYER  source, place, digest                      LAYER_INDEX  number, digest    fd: index
 *                                                     ERROR        error, text: one line for a person
 *   HERE   (no answer)
 *
 * and of a source that is one layer of an image, whoever shows it in a store:
 *
 *   DESCRIBE  source                                  DESCRIBED    size, text: for containers-storage
 *   FETCH     source, offset, size                    FETCHED      fd: the blob
 *   REFER     source, change, text                    REFERRED     uses
 *
 * The text of HELLO is a list, each part ended by a NUL: where the front end mounts, for people to read; the directory
 * that relative paths start from; and then, as NAME=value, what is set of the variables in environment.h. By these, and
 * by no environment of its own, the daemon finds credentials, proxies and policy for this mount.
 *
 * Whose process the mount is, the daemon learns from the credentials that the kernel adds to each packet: HERE is sent
 * for these alone, by the child of a process that has forked.
 *
 * Published objects are in `objects`, and files of several chunks that are being filled in `drafts`: shared/draft.h.
 * The tmp directory is this mount's own, on the file system of the objects: the daemon removes it, and what is left in
 * it, when the connection ends.
 *
 * OPEN asks for a configuration, and carries the blob where that names a local file: the mount opens it, with its own
 * rights and in its own mount namespace; the text is then the file's absolute path. The text of ERROR does not repeat
 * the configuration, which the mount prints before it.
 *
 * DESCRIBE asks how many bytes the layer's blob has, and for the JSON by which containers-storage takes a layer from a
 * store. FETCH has the bytes [offset, offset + size) of the blob be in the file whose descriptor it brings. REFER says
 * that containers-storage uses the layer once more, or once less, by the configuration in the text: what it uses stays
 * in the cache, on the disk, as long as `uses` is above 0.
 *
 * A mount that comes back after the daemon died asks for the text and the digests that it was told first, and gets
 * these or an error, never something else.
 *
 * The version stands for all that the two sides share: this protocol, the ring, the doorbell, the index and the names
 * of objects. The rule of negotiation: the mount names the version that it speaks, and the daemon answers with the same
 * one, or with ERROR. For that, HELLO, WELCOME and ERROR keep their numbers and their fields in every version. A change
 * that an older reader would misunderstand raises the version.
 */

#ifndef CRFS_CONTROL_H
#define CRFS_CONTROL_H

#include <stdint.h>

#define CRFS_CONTROL_VERSION 6u
#define CRFS_CONTROL_TEXT_LIMIT 32768u /* bytes of text in a message */
#define CRFS_CONTROL_FD_LIMIT 4
#define CRFS_BUSY_INTERVAL_MS 2000

enum crfs_message_type {
  CRFS_HELLO = 1,
  CRFS_OPEN = 2,
  CRFS_LAYER = 3,
  CRFS_HERE = 4,
  CRFS_WELCOME = 5,
  CRFS_OPENED = 6,
  CRFS_LAYER_INDEX = 7,
  CRFS_BUSY = 8,
  CRFS_ERROR = 9,
  CRFS_DESCRIBE = 10,
  CRFS_FETCH = 11,
  CRFS_REFER = 12,
  CRFS_DESCRIBED = 13,
  CRFS_FETCHED = 14,
  CRFS_REFERRED = 15,
};

struct crfs_message_hello {
  uint32_t version; /* CRFS_CONTROL_VERSION */
};

struct crfs_message_welcome {
  uint32_t version;
};

struct crfs_message_open {
  uint32_t again; /* 1: the text is what OPENED told, and the mount was accepted: no policy is asked once more */
};

struct crfs_message_opened {
  uint32_t source; /* its number on this connection */
  uint32_t layers; /* how many it has */
};

struct crfs_message_layer {
  uint32_t source;
  uint32_t place;     /* in the source, from the base, as manifests list layers: layer 0 lies below all others */
  uint8_t digest[32]; /* key of the index that the layer must have; all zeros: whatever it has */
};

struct crfs_message_layer_index {
  uint32_t number; /* of the layer, in requests of the ring */
  uint32_t reserved;
  uint8_t digest[32]; /* its key */
};

struct crfs_message_error {
  uint32_t error; /* an errno */
};

struct crfs_message_describe {
  uint32_t source; /* first, as in the two that follow */
};

struct crfs_message_fetch {
  uint32_t source;
  uint32_t reserved;
  uint64_t offset;
  uint64_t size;
};

struct crfs_message_refer {
  uint32_t source;
  uint32_t less; /* 0: used once more; 1: once less */
};

struct crfs_message_described {
  uint64_t size; /* bytes of the blob */
};

struct crfs_message_referred {
  uint32_t uses;
};

/* BUSY, HERE and FETCHED have no fields. What a message does not use is zero. */
struct crfs_message {
  uint32_t type;
  uint32_t text_length; /* bytes that follow; no terminating NUL */
  union {
    struct crfs_message_hello hello;
    struct crfs_message_welcome welcome;
    struct crfs_message_open open;
    struct crfs_message_opened opened;
    struct crfs_message_layer layer;
    struct crfs_message_layer_index layer_index;
    struct crfs_message_error error;
    struct crfs_message_describe describe;
    struct crfs_message_fetch fetch;
    struct crfs_message_refer refer;
    struct crfs_message_described described;
    struct crfs_message_referred referred;
  };
};

#endif
