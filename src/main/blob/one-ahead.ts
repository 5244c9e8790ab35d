// SPDX-License-Identifier: GPL-3.0-or-later

/** Yields what a generator does, of which the next item is made while one is used. Ends once nothing is under way. */
export async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = begun(items);
  try {
    for (let { done, value } = await next; !done; { done, value } = await next) {
      next = begun(items);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await items.return(undefined);
  }
}

/** Should it fail, whoever awaits it is told. */
function begun<T>(items: AsyncGenerator<T>): Promise<IteratorResult<T>> {
  const next = items.next();
  next.catch(() => undefined);
  return next;
}
