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
        "csrc/shared/index.c"
      ],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags_cc": ["-std=gnu++17", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"],
      "libraries": ["-ldeflate"]
    },
    {
      "target_name": "crfs-plugin",
      "type": "shared_library",
      "product_prefix": "",
      "sources": [
        "csrc/plugin/plugin.c",
        "csrc/shared/index.c"
      ],
      "cflags_c": ["-std=gnu11", "-fvisibility=hidden"],
      "include_dirs!": ["<(node_root_dir)/include/node"]
    }
  ]
}
