// SPDX-License-Identifier: GPL-3.0-or-later

#ifndef CRFS_ADDON_DOORBELL_H
#define CRFS_ADDON_DOORBELL_H

#include "shared/doorbell.h"

namespace crfs {

// The doorbell that the workers of this process sleep on, shared with all mounts. Any thread.
crfs_doorbell *Doorbell();

} // namespace crfs

#endif
