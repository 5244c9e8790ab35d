/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A front end that knows nothing of fuse-overlayfs, on csrc/client alone: two sessions in one process, over a daemon
 * that the environment may make fail (fake-daemon.c).
 *
 * usage: sessions BLOB DAEMONS      how many daemons serve them one after the other */

#include "client/attributes.h"
#include "client/lookup.h"
#include "client/mapping.h"
#include "client/object.h"
#include "client/session.h"
#include "native/check.h"
#include "native/sample.h"

#include <fcntl.h>
#include <unistd.h>

struct mount {
  struct crfs_session session;
  struct counted {
    struct crfs_layer layer; /* first: the one is cast to the other */
    int attached;
  } counted;
};

static struct mount mounts[2];
static const char *const mountpoints[] = {"/first", "/second"};

static int count_attached(struct crfs_layer *layer, int tmp) {
  CHECK(faccessat(tmp, ".", W_OK, 0) == 0);
  ((struct counted *)layer)->attached++;
  return 0;
}

static void begin(struct mount *m, const char *mountpoint, const char *blob) {
  const struct crfs_front_end front_end = {.mountpoint = mountpoint, .timeout_ns = 60000000000u, .object = &mounts};
  struct crfs_failure failure;
  struct crfs_layer *layer = &m->counted.layer;
  CHECK(crfs_session_begin(&m->session, &front_end, &failure) == 0);
  CHECK(strcmp(m->session.contact.introduction.text, mountpoint) == 0);
  layer->source = crfs_session_source(&m->session, blob, &failure);
  CHECK(layer->source != NULL && crfs_session_source(&m->session, blob, &failure) == layer->source);
  layer->attach = count_attached;
  CHECK(crfs_session_add(layer, &failure) == 0);
  CHECK(m->counted.attached == 1);
}

static void end(struct mount *m) {
  crfs_session_remove(&m->counted.layer);
  crfs_mapping_drop(&m->counted.layer);
  crfs_session_end(&m->session);
}

static void read_file(const struct mount *m, const char *path) {
  struct stat st;
  int32_t inode = crfs_lookup(&m->counted.layer, path, NULL);
  CHECK(inode > 0);
  crfs_attributes(&m->counted.layer, (uint32_t)inode, &st);
  int fd = crfs_object_open(&m->counted.layer, (uint32_t)inode, CRFS_OPEN_WHOLE);
  CHECK(fd >= 0);
  for (off_t at = 0; at < st.st_size; at++) {
    unsigned char byte;
    CHECK(pread(fd, &byte, 1, at) == 1 && byte == sample_byte((uint32_t)inode, (uint64_t)at));
  }
  close(fd);
}

static void read_all_files(const struct mount *m) {
  for (size_t i = 0; i < sample_count; i++)
    if (S_ISREG(sample_files[i].mode) && sample_files[i].size > 0)
      read_file(m, sample_files[i].path);
}

static int descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  const int daemons = atoi(argv[2]), before = descriptors();
  char session[16];
  snprintf(session, sizeof session, "%d", (int)getsid(0));
  setenv("HOST_SESSION", session, 1);

  for (int i = 0; i < 2; i++)
    begin(&mounts[i], mountpoints[i], argv[1]);
  CHECK(mounts[0].session.current != mounts[1].session.current);
  read_all_files(&mounts[0]);
  uint32_t number;
  struct crfs_connection *second = crfs_session_acquire_live(&mounts[1].counted.layer, &number);
  CHECK(second != NULL && mounts[1].counted.attached == daemons);
  end(&mounts[0]);
  CHECK(!crfs_control_is_gone(&second->control));
  crfs_connection_release(second);
  read_all_files(&mounts[1]);
  CHECK(mounts[0].counted.attached == daemons && mounts[1].counted.attached == daemons);
  end(&mounts[1]);
  CHECK(descriptors() == before);
  printf("checks %lu\n", checks);
  return 0;
}
