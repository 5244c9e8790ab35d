// SPDX-License-Identifier: GPL-3.0-or-later

/** Yields what `items` do, of which the next one is made while one is used. Ends once nothing is under way. */
export async function* oneAhead<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let next = begun(iterator);
  try {
    for (let { done, value } = await next; !done; { done, value } = await next) {
      next = begun(iterator);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}

/** Should it fail, whoever awaits it is told. */
function begun<T>(items: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = items.next();
  next.catch(() => undefined);
  return next;
}
