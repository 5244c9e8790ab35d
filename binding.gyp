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
        "csrc/addon/decoder.cc",
        "csrc/addon/deflate.cc",
        "csrc/addon/doorbell.cc",
        "csrc/addon/files.cc",
        "csrc/addon/guard.cc",
        "csrc/addon/gunzip.cc",
        "csrc/addon/inflate.cc",
        "csrc/addon/layout.cc",
        "csrc/addon/rings.cc",
        "csrc/addon/socket.cc",
        "csrc/addon/unzstd.cc",
        "csrc/addon/watcher.cc",
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
      # Node exports its own zlib and libzstd, in other versions, which would take the place of shared ones.
      "ldflags": ["-Wl,--exclude-libs,libz.a:libzstd.a"],
      "libraries": ["-ldeflate", "-lpthread", "-l:libz.a", "-l:libzstd.a"]
    },
    {
      "target_name": "crfs-plugin",
      "type": "shared_library",
      "product_prefix": "",
      "sources": [
        "csrc/client/ask.c",
        "csrc/client/attributes.c",
        "csrc/client/command.c",
        "csrc/client/connection.c",
        "csrc/client/control.c",
        "csrc/client/descriptors.c",
        "csrc/client/introduction.c",
        "csrc/client/loan.c",
        "csrc/client/lookup.c",
        "csrc/client/mapping.c",
        "csrc/client/object.c",
        "csrc/client/report.c",
        "csrc/client/runtime.c",
        "csrc/client/session.c",
        "csrc/client/source.c",
        "csrc/client/start.c",
        "csrc/client/tally.c",
        "csrc/client/timeout.c",
        "csrc/lazy/buffers.c",
        "csrc/lazy/content.c",
        "csrc/lazy/file.c",
        "csrc/lazy/lazy.c",
        "csrc/lazy/mount.c",
        "csrc/lazy/operations.c",
        "csrc/lazy/server.c",
        "csrc/lazy/table.c",
        "csrc/plugin/config.c",
        "csrc/plugin/copyup.c",
        "csrc/plugin/directory.c",
        "csrc/plugin/layer.c",
        "csrc/plugin/metadata.c",
        "csrc/plugin/mountpoint.c",
        "csrc/plugin/open.c",
        "csrc/plugin/plugin.c",
        "csrc/plugin/scratch.c",
        "csrc/plugin/session.c",
        "csrc/shared/index-tables.c",
        "csrc/shared/index.c",
        "csrc/shared/parts.c"
      ],
      "cflags_c": ["-std=gnu11", "-fvisibility=hidden"],
      "ldflags": ["-Wl,-z,defs"],
      "libraries": ["-ldl", "-lpthread", "<!@(pkg-config --libs fuse3)"],
      "include_dirs": ["<!@(pkg-config --cflags-only-I fuse3 | sed 's/-I//g')"],
      "include_dirs!": ["<(node_root_dir)/include/node"]
    }
  ]
}
