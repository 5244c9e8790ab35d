/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/spot.h"

#include <string.h>
#include <sys/stat.h>

#define ROOT 1u       /* FUSE_ROOT_ID */
#define KIND_SHIFT 24 /* a kind, and below it a number of that kind: CRFS_SHELF_LAYERS, CRFS_SHELF_REFERENCES */
#define FIRST_KIND 1u /* so that no number is that of the root, or 0 */

int crfs_spot_is(uint64_t number) {
  return number >> 32 == 0;
}

static uint64_t number_of(struct crfs_spot spot) {
  if (spot.kind == CRFS_SPOT_IMAGE && spot.reference->number == 0)
    return ROOT;
  return (spot.kind + FIRST_KIND) << KIND_SHIFT |
         (spot.kind == CRFS_SPOT_IMAGE ? spot.reference->number : spot.stored->layer.slot);
}

int crfs_spot_of(struct crfs_shelf *shelf, uint64_t number, struct crfs_spot *spot) {
  const uint32_t kind = (uint32_t)(number >> KIND_SHIFT), rest = number & ((1u << KIND_SHIFT) - 1);
  *spot = (struct crfs_spot){.kind = CRFS_SPOT_IMAGE};
  if (number == ROOT || kind == CRFS_SPOT_IMAGE + FIRST_KIND)
    return (spot->reference = crfs_shelf_reference_at(shelf, number == ROOT ? 0 : rest)) != NULL;
  if (kind > CRFS_SPOT_BLOB + FIRST_KIND || kind < FIRST_KIND)
    return 0;
  spot->kind = kind - FIRST_KIND;
  return (spot->stored = crfs_shelf_at(shelf, rest)) != NULL;
}

struct stat crfs_spot_attributes(struct crfs_spot spot) {
  struct stat st = {.st_ino = number_of(spot), .st_mode = S_IFDIR | 0700, .st_nlink = 1, .st_uid = geteuid()};
  if (spot.kind == CRFS_SPOT_INFO || spot.kind == CRFS_SPOT_BLOB)
    st.st_mode = S_IFREG | 0400;
  if (spot.kind == CRFS_SPOT_INFO)
    st.st_size = (off_t)strlen(spot.stored->info);
  if (spot.kind == CRFS_SPOT_BLOB)
    st.st_size = (off_t)spot.stored->blob_size;
  return st;
}

/* All of these return whether there is something, in FOUND or *LAYER. */
static int find_in_layer(struct crfs_spot spot, const char *name, struct crfs_spot *found,
                         const struct crfs_layer **layer) {
  *found = (struct crfs_spot){.kind = CRFS_SPOT_INFO, .stored = spot.stored};
  *layer = NULL;
  if (strcmp(name, "diff") == 0)
    *layer = &spot.stored->layer;
  else if (strcmp(name, "blob") == 0)
    found->kind = CRFS_SPOT_BLOB;
  else
    return strcmp(name, "info") == 0;
  return 1;
}

int crfs_spot_find(struct crfs_shelf *shelf, struct crfs_spot spot, const char *name, struct crfs_spot *found,
                   const struct crfs_layer **layer) {
  char reference[CRFS_REFERENCE_SIZE];
  *layer = NULL;
  if (spot.kind == CRFS_SPOT_LAYER)
    return find_in_layer(spot, name, found, layer);
  if (spot.kind != CRFS_SPOT_IMAGE)
    return 0;
  if (crfs_name_is_digest(name)) {
    *found = (struct crfs_spot){.kind = CRFS_SPOT_LAYER, .stored = crfs_shelf_find(shelf, spot.reference, name)};
    return found->stored != NULL;
  }
  *found = (struct crfs_spot){.kind = CRFS_SPOT_IMAGE};
  if (spot.reference->number != 0 || crfs_name_decode(name, reference) < 0)
    return 0;
  return (found->reference = crfs_shelf_reference(shelf, reference)) != NULL;
}
