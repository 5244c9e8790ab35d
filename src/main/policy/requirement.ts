// SPDX-License-Identifier: GPL-3.0-or-later

/** What a policy may require of an image, checked as strictly as containers-policy.json(5) says. */

import type { StrictTable, StrictValue } from './strict-json.js';

const TYPES = ['insecureAcceptAnything', 'reject', 'signedBy', 'sigstoreSigned', 'signedBaseLayer'] as const;

export interface Requirement {
  readonly type: (typeof TYPES)[number];
}

type Check = (value: StrictValue) => boolean;

/** The fields of an object beside `type`. */
interface Shape {
  readonly required?: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
  /** Exactly one of these. */
  readonly oneOf?: Readonly<Record<string, Check>>;
}

const text: Check = (value) => typeof value === 'string' && value !== '';
const base64: Check = (value) => typeof value === 'string' && /^[A-Za-z0-9+/\r\n]+=*[\r\n]*$/.test(value);
const list =
  (of: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length > 0 && value.every(of);
const table: Check = (value) => value instanceof Map;
const KEY_TYPES: readonly StrictValue[] = ['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'];

const IDENTITIES: Readonly<Record<string, Shape>> = {
  matchExact: {},
  matchRepoDigestOrExact: {},
  matchRepository: {},
  exactReference: { required: { dockerReference: text } },
  exactRepository: { required: { dockerRepository: text } },
  remapIdentity: { required: { prefix: text, signedPrefix: text } },
};

const identity: Check = (value) => {
  checkObject(value, IDENTITIES);
  return true;
};

const REQUIREMENTS: Readonly<Record<Requirement['type'], Shape>> = {
  insecureAcceptAnything: {},
  reject: {},
  signedBy: {
    required: { keyType: (value) => KEY_TYPES.includes(value) },
    optional: { signedIdentity: identity },
    oneOf: { keyPath: text, keyPaths: list(text), keyData: base64 },
  },
  sigstoreSigned: {
    optional: {
      signedIdentity: identity,
      rekorPublicKeyPath: text,
      rekorPublicKeyPaths: list(text),
      rekorPublicKeyData: base64,
      rekorPublicKeyDatas: list(base64),
    },
    oneOf: {
      keyPath: text,
      keyPaths: list(text),
      keyData: base64,
      keyDatas: list(base64),
      fulcio: table,
      pki: table,
    },
  },
  signedBaseLayer: { required: { baseLayerIdentity: identity } },
};

/** Checks a value and its fields, and returns its type. Throws an Error of one line. */
function checkObject(value: StrictValue, shapes: Readonly<Record<string, Shape>>): string {
  if (!(value instanceof Map)) throw new Error('an object with a type is expected');
  const fields = value as StrictTable;
  const type = fields.get('type');
  const shape = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  if (typeof type !== 'string' || shape === undefined) {
    throw new Error(`unknown type ${JSON.stringify(type ?? null)}; there are ${Object.keys(shapes).join(', ')}`);
  }
  const { required = {}, optional = {}, oneOf = {} } = shape;
  const known = { ...required, ...optional, ...oneOf };
  for (const [key, given] of fields) {
    const check = Object.hasOwn(known, key) ? known[key] : undefined;
    if (key === 'type') continue;
    if (check === undefined) throw new Error(`unknown key ${JSON.stringify(key)} of ${type}`);
    if (!check(given)) throw new Error(`${key} of ${type} is not what it must be`);
  }
  const missing = Object.keys(required).find((key) => !fields.has(key));
  if (missing !== undefined) throw new Error(`${type} lacks ${missing}`);
  const sources = Object.keys(oneOf);
  if (sources.length > 0 && sources.filter((key) => fields.has(key)).length !== 1) {
    throw new Error(`${type} must have one of ${sources.join(', ')}`);
  }
  return type;
}

/** Reads a list of them, all of which an image has to meet. Throws an Error of one line. */
export function readRequirements(value: StrictValue): readonly Requirement[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error('a list of requirements must not be empty');
  return value.map((one: StrictValue) => ({ type: checkObject(one, REQUIREMENTS) as Requirement['type'] }));
}
