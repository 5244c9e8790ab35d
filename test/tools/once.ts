// SPDX-License-Identifier: GPL-3.0-or-later

/** What several tests of a file need and one of them makes: the first that asks for it. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
