/* SPDX-License-Identifier: GPL-3.0-or-later */

#ifndef CRFS_LAZY_DYING_H
#define CRFS_LAZY_DYING_H

/* The has_gone of a crfs_asker whose SELF is a request of FUSE's: whether who made it is being killed, which takes
 * until it is answered. Of any other signal no read of a file may tell: few programs expect EINTR of one, and where the
 * kernel reads a page of a mapping, it makes EFAULT or SIGBUS of that. True as well where a signal came, and nobody
 * knows for whom: the reader is in no PID namespace of ours, or there is no /proc. */
int crfs_reader_is_dying(void *request);

#endif
