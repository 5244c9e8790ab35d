// SPDX-License-Identifier: GPL-3.0-or-later

/** What a policy may require of an image, as strict as containers-policy.json(5). */

import * as v from 'valibot';
import { anyTable, strictTable } from '../schema/schemas.js';

const text = v.pipe(v.string('a string'), v.nonEmpty('a string that is not empty'));
const base64 = v.pipe(v.string('a string'), v.regex(/^[A-Za-z0-9+/\r\n]+=*[\r\n]*$/, 'base64'));
const texts = v.pipe(v.array(text, 'a list'), v.nonEmpty('a list of at least one'));
const base64s = v.pipe(v.array(base64, 'a list'), v.nonEmpty('a list of at least one'));
const KEY_TYPES = ['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'] as const;

const identity = v.variant(
  'type',
  [
    ofType('matchExact', {}),
    ofType('matchRepoDigestOrExact', {}),
    ofType('matchRepository', {}),
    ofType('exactReference', { dockerReference: text }),
    ofType('exactRepository', { dockerRepository: text }),
    ofType('remapIdentity', { prefix: text, signedPrefix: text }),
  ],
  knownType,
);

const keys = { keyPath: v.optional(text), keyPaths: v.optional(texts), keyData: v.optional(base64) };
const signedByKeys = {
  keyType: v.picklist(KEY_TYPES, oneOf(KEY_TYPES)),
  signedIdentity: v.optional(identity),
  ...keys,
};
const roots = { keyDatas: v.optional(base64s), fulcio: v.optional(anyTable), pki: v.optional(anyTable) };
const rekor = {
  rekorPublicKeyPath: v.optional(text),
  rekorPublicKeyPaths: v.optional(texts),
  rekorPublicKeyData: v.optional(base64),
  rekorPublicKeyDatas: v.optional(base64s),
};

const requirement = v.variant(
  'type',
  [
    ofType('insecureAcceptAnything', {}),
    ofType('reject', {}),
    v.pipe(ofType('signedBy', signedByKeys), withOne(Object.keys(keys))),
    v.pipe(
      ofType('sigstoreSigned', { signedIdentity: v.optional(identity), ...keys, ...roots, ...rekor }),
      withOne(Object.keys({ ...keys, ...roots })),
    ),
    ofType('signedBaseLayer', { baseLayerIdentity: identity }),
  ],
  knownType,
);

/** A list of them, all of which an image has to meet. */
export const requirementList = v.pipe(v.array(requirement, 'a list'), v.nonEmpty('a list of at least one'));

export type Requirement = v.InferOutput<typeof requirement>;

function ofType<Type extends string, Entries extends v.ObjectEntries>(
  type: Type,
  entries: Entries,
): v.StrictObjectSchema<{ type: v.LiteralSchema<Type, undefined> } & Entries, (issue: v.StrictObjectIssue) => string> {
  return strictTable({ type: v.literal(type), ...entries });
}

/** Exactly one of these keys is given. */
function withOne<Table extends object>(names: readonly string[]): v.RawCheckAction<Table> {
  return v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || names.filter((name) => name in dataset.value).length === 1) return;
    addIssue({ message: `with ${oneOf(names)}, and no other of them`, input: undefined });
  });
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.join(', ')}`;
}

/** For what is of no type that there is: `expected` is all of them, quoted. */
function knownType({ path, expected }: v.VariantIssue): string {
  return path === undefined ? 'an object' : oneOf(expected?.match(/\w+/g) ?? []);
}
