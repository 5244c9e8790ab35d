// SPDX-License-Identifier: GPL-3.0-or-later

import { connect } from 'node:tls';

const PATIENCE_MS = 10_000;

/**
 * Whether what listens at `host[:port]` (443 unless given) answers in TLS, whatever its certificate. Takes one connection, on which
 * nothing is asked, and no list of CAs, which is slow to load. False also where nothing listens.
 */
export async function speaksTls(place: string): Promise<boolean> {
  const { hostname, port } = new URL(`https://${place}`);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return await new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      ca: [],
      rejectUnauthorized: false,
      timeout: PATIENCE_MS,
    });
    const answer = (is: boolean) => (): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('secureConnect', answer(true)).once('timeout', answer(false));
    // Who sends an alert speaks TLS: it may want a client certificate.
    socket.on('error', (error: NodeJS.ErrnoException) => answer(/^ERR_SSL_.*ALERT/.test(error.code ?? ''))());
  });
}
