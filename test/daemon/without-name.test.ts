// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { withoutName } from '../../src/main/daemon/without-name.js';

const URL_OF_LAYER = 'https://user:pass@host/layer?signature=1';
const IMAGE = 'docker://host/image:tag';

for (const [message, configuration, said] of [
  ['/a/layer: is no stargz layer', '/a/layer', 'is no stargz layer'],
  ['cannot read https://host/layer: the server answered 404', URL_OF_LAYER, 'the server answered 404'],
  ['GET https://host/layer: the connection was refused', URL_OF_LAYER, 'the connection was refused'],
  ['https://host/layer: the answer ended 3 bytes early', URL_OF_LAYER, 'the answer ended 3 bytes early'],
  [`no manifest of ${IMAGE}: the server answered 404`, IMAGE, 'no manifest: the server answered 404'],
  ['GET https://host/v2/: no answer in time', IMAGE, 'GET https://host/v2/: no answer in time'],
  [`it is not ${IMAGE}: it is another`, IMAGE, `it is not ${IMAGE}: it is another`],
  ['/a/layer.old: is no stargz layer', '/a/layer', '/a/layer.old: is no stargz layer'],
  ['the disk is full', '/a/layer', 'the disk is full'],
] as const) {
  test(`"${message}" of ${configuration}`, (t) => {
    t.is(withoutName(message, configuration), said);
  });
}
