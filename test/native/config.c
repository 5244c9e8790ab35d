/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a lowerdir may ask for, and what is refused. */

#include "plugin/config.h"
#include "native/check.h"

static const char *decoded(const char *opaque) {
  static struct crfs_config config;
  struct crfs_failure failure;
  return crfs_config_decode(&config, opaque, &failure) == 0 ? config.text : NULL;
}

static int refused_for(const char *opaque, const char *why) {
  static struct crfs_config config;
  struct crfs_failure failure;
  return crfs_config_decode(&config, opaque, &failure) == -1 && failure.error != 0 && strstr(failure.text, why) != NULL;
}

static int is(const char *opaque, const char *text) {
  const char *got = decoded(opaque);
  return got != NULL && strcmp(got, text) == 0;
}

int main(void) {
  /* paths, in both alphabets, with and without padding */
  CHECK(is("L2E", "/a"));
  CHECK(is("L2E=", "/a"));
  CHECK(is("L2Ev", "/a/"));
  CHECK(is("L_-_", "/\xff\xbf"));
  CHECK(is("L/+/", "/\xff\xbf"));
  CHECK(is("Lw==", "/"));
  /* file:// */
  CHECK(is("ZmlsZTovLy9hJTIwYiUyNQ", "/a b%"));
  CHECK(is("RklMRTovLy9h", "/a")); /* FILE:// */
  CHECK(refused_for("ZmlsZTovL2hvc3QvYQ", "no local file"));
  CHECK(refused_for("ZmlsZTovLy9hJTAwYg", "%25"));
  CHECK(refused_for("ZmlsZTovLy9hJXh5", "%25"));
  CHECK(refused_for("ZmlsZTovLy9hJTI", "%25"));
  /* the rest is the daemon's */
  CHECK(is("aHR0cHM6Ly9leGFtcGxlLm9yZy9s", "https://example.org/l"));
  CHECK(is("ZG9ja2VyOi8vYTpi", "docker://a:b"));
  /* no text */
  CHECK(refused_for("", "no layer"));
  CHECK(refused_for("====", "base64"));
  CHECK(refused_for("L", "base64"));
  CHECK(refused_for("L2E==", "base64"));
  CHECK(refused_for("L2Fi=", "base64"));
  CHECK(refused_for("L2E=L2E=", "base64"));
  CHECK(refused_for("L2F", "base64")); /* bits left over */
  CHECK(refused_for("L2 E", "base64"));
  CHECK(refused_for("L2E\n", "base64"));
  CHECK(refused_for("L2EA", "base64")); /* a NUL */
  /* the longest, and one more */
  static char opaque[60000];
  memset(opaque, 'L', 43688);
  CHECK(decoded(opaque) != NULL);
  memset(opaque, 'L', 43692);
  CHECK(refused_for(opaque, "too long"));
  printf("checks %lu\n", checks);
  return 0;
}
