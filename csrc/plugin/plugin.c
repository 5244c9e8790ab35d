/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The four symbols that fuse-overlayfs looks for, and the table of functions behind them. */

#include "plugin/directory.h"
#include "plugin/host.h"
#include "plugin/layer.h"
#include "plugin/metadata.h"
#include "plugin/open.h"
#include "plugin/session.h"

#define EXPORT __attribute__((visibility("default")))

/* As a plain directory answers on nearly every file system. One "no" would turn ACLs off for the upper directory too.
 */
static bool support_acls(struct ovl_layer *l) {
  (void)l;
  return true;
}

static struct data_source source = {
    .num_of_layers = crfs_num_of_layers,
    .load_data_source = crfs_load_data_source,
    .cleanup = crfs_cleanup,
    .file_exists = crfs_file_exists,
    .statat = crfs_statat,
    .fstat = crfs_fstat,
    .opendir = crfs_opendir,
    .readdir = crfs_readdir,
    .closedir = crfs_closedir,
    .openat = crfs_openat,
    .listxattr = crfs_listxattr,
    .getxattr = crfs_getxattr,
    .readlinkat = crfs_readlinkat,
    .support_acls = support_acls,
};

EXPORT int plugin_version(void) {
  return 1;
}

EXPORT const char *plugin_name(void) {
  return "crfs";
}

EXPORT struct data_source *plugin_load(const char *opaque, const char *path) {
  (void)opaque, (void)path; /* both come again with each function that needs them */
  return &source;
}

EXPORT int plugin_release(void) {
  crfs_plugin_session_end();
  return 0;
}
