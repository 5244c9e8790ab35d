// SPDX-License-Identifier: GPL-3.0-or-later

// Lays out an index as csrc/shared/index.h draws it.

#ifndef CRFS_INDEXER_WRITE_H
#define CRFS_INDEXER_WRITE_H

#include "indexer/indexer.h"
#include "indexer/layer.h"
#include "indexer/numbering.h"
#include "indexer/output.h"

namespace crfs {

// Returns the bytes of all of it; whether they could be written, the output knows.
uint64_t WriteIndex(Output &output, const Layer &layer, const Numbering &numbering, const IndexSummary &summary,
                    uint32_t codec);

} // namespace crfs

#endif
