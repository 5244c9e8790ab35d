/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/layer.h"

#include "client/mapping.h"
#include "plugin/config.h"
#include "plugin/scratch.h"
#include "plugin/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The source that OPAQUE describes, opened at first sight; owned by the session. NULL and errno: reported. */
static struct crfs_source *source_of(const char *opaque) {
  struct crfs_config config;
  struct crfs_failure failure;
  const char *asked = "lowerdir"; /* not OPAQUE: it may be anything, of any length, and a person reads no base64 */
  struct crfs_source *source = NULL;
  if (crfs_config_decode(&config, opaque, &failure) == 0) {
    asked = config.text;
    struct crfs_session *session = crfs_plugin_session(&failure);
    source = session == NULL ? NULL : crfs_session_source(session, asked, &failure);
  }
  if (source == NULL) {
    crfs_report(asked, &failure);
    errno = failure.error; /* the host prints it after our line */
  }
  return source;
}

int crfs_num_of_layers(const char *opaque, const char *path) {
  (void)path;
  const struct crfs_source *source = source_of(opaque);
  return source == NULL ? -1 : (int)source->layers;
}

static int attach(struct crfs_layer *layer, int tmp) {
  return crfs_skeleton_attach(tmp, ((struct crfs_plugin_layer *)layer)->host);
}

static struct crfs_layer *load(struct ovl_layer *l, struct crfs_source *source, const char *path, int n_layer,
                               struct crfs_failure *failure) {
  if (n_layer < 0 || (uint32_t)n_layer >= source->layers) {
    crfs_fail(failure, EINVAL, "no layer %d of %u", n_layer, source->layers);
    return NULL;
  }
  l->path = realpath(path, NULL);
  if (l->path == NULL) {
    crfs_fail(failure, errno, "the directory %s behind it: %s; name one that exists, by its absolute path", path,
              strerror(errno));
    return NULL;
  }
  struct crfs_plugin_layer *own = calloc(1, sizeof *own);
  if (own == NULL) {
    crfs_fail(failure, ENOMEM, "out of memory");
    return NULL;
  }
  struct crfs_layer *layer = &own->layer;
  own->host = l;
  layer->attach = attach;
  layer->source = source;
  layer->place = source->layers - 1 - (uint32_t)n_layer; /* the host counts from the top */
  if (crfs_session_add(layer, failure) == 0)
    return layer;
  crfs_mapping_drop(layer);
  free(own);
  return NULL;
}

int crfs_load_data_source(struct ovl_layer *l, const char *opaque, const char *path, int n_layer) {
  struct crfs_failure failure;
  struct crfs_source *source = source_of(opaque);
  if (source == NULL)
    return -1;
  struct crfs_layer *layer = load(l, source, path, n_layer, &failure);
  l->data_source_private_data = layer;
  if (layer != NULL)
    return 0;
  crfs_report(source->asked, &failure);
  free(l->path);
  l->path = NULL;
  errno = failure.error;
  return -1;
}

int crfs_cleanup(struct ovl_layer *l) {
  struct crfs_layer *layer = crfs_layer_of(l);
  if (layer == NULL)
    return 0;
  l->data_source_private_data = NULL;
  crfs_lazy_end(crfs_plugin_lazy());
  crfs_session_remove(layer);
  crfs_mapping_drop(layer);
  free(layer);
  return 0;
}
