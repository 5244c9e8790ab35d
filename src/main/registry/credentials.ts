// SPDX-License-Identifier: GPL-3.0-or-later

/** What is shown to a registry. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A token that buys access tokens (an OAuth 2 refresh token). */
  | { readonly kind: 'identity'; readonly token: string };
