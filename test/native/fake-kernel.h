/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A kernel for tests of the server for the kernel's overlay, which is linked to them: it asks by a pair of sockets in
 * place of /dev/fuse, of the sample, by two layers, which the fake daemon serves. */

#ifndef CRFS_TEST_FAKE_KERNEL_H
#define CRFS_TEST_FAKE_KERNEL_H

#include "lower/operations.h"

#include <linux/fuse.h>

struct question {
  struct fuse_in_header header;
  char body[4096];
};

struct answer {
  struct fuse_out_header header;
  char body[1 << 18];
};

extern struct crfs_lower lower;
extern uint32_t reader; /* the thread that asks; 0 at first */

/* Starts the server, which nobody has said hello to, and ends it. */
void load(void);
void unload(void);

/* Sends a question with so many bytes of its body, and receives an answer. */
void send_question(struct question *question, size_t body);
void receive(void);

/* Asks of NODE, with SIZE bytes of BODY. Returns the errno of the answer, which is then the last one. So do those
 * below. */
int ask(uint32_t opcode, uint64_t node, const void *body, size_t size);
struct answer *last(void);
uint32_t length(void); /* of the last answer's body */

int say_hello(void);
int lookup(uint64_t parent, const char *name);
int read_at(uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size);
int get_attribute(uint64_t node, const char *name, uint32_t size);
int list_attributes(uint64_t node, uint32_t size);

/* The node of a path from the root, by its names. */
uint64_t walk(const char *const *names);
#define WALK(...) walk((const char *const[]){__VA_ARGS__, NULL})

#endif
