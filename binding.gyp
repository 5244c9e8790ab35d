# SPDX-License-Identifier: GPL-3.0-or-later

{
  "target_defaults": {
    "cflags": ["-Wall", "-Wextra", "-Werror", "-O2", "-g"],
    "include_dirs": ["csrc"],
    "defines": ["_GNU_SOURCE", "_FILE_OFFSET_BITS=64"]
  },
  "targets": [
    {
      "target_name": "crfs_addon",
      "sources": [
        "csrc/addon/addon.cc",
        "csrc/addon/deflate.cc",
        "csrc/addon/files.cc",
        "csrc/addon/guard.cc",
        "csrc/addon/inflate.cc",
        "csrc/addon/layout.cc",
        "csrc/addon/rings.cc",
        "csrc/addon/socket.cc",
        "csrc/shared/index-tables.c",
        "csrc/shared/index.c",
        "csrc/shared/parts.c"
      ],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "cflags_cc": ["-std=gnu++17", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"],
      "libraries": ["-ldeflate", "-lpthread"]
    },
    {
      "target_name": "crfs-plugin",
      "type": "shared_library",
      "product_prefix": "",
      "sources": [
        "csrc/plugin/ask.c",
        "csrc/plugin/config.c",
        "csrc/plugin/connection.c",
        "csrc/plugin/control.c",
        "csrc/plugin/copyup.c",
        "csrc/plugin/directory.c",
        "csrc/plugin/layer.c",
        "csrc/plugin/lookup.c",
        "csrc/plugin/mapping.c",
        "csrc/plugin/mountpoint.c",
        "csrc/plugin/object.c",
        "csrc/plugin/open.c",
        "csrc/plugin/plugin.c",
        "csrc/plugin/report.c",
        "csrc/plugin/runtime.c",
        "csrc/plugin/scratch.c",
        "csrc/plugin/session.c",
        "csrc/plugin/start.c",
        "csrc/plugin/timeout.c",
        "csrc/plugin/xattr.c",
        "csrc/shared/index-tables.c",
        "csrc/shared/index.c",
        "csrc/shared/parts.c"
      ],
      "cflags_c": ["-std=gnu11", "-fvisibility=hidden"],
      "ldflags": ["-Wl,-z,defs"],
      "libraries": ["-ldl", "-lpthread"],
      "include_dirs!": ["<(node_root_dir)/include/node"]
    }
  ]
}
