// SPDX-License-Identifier: GPL-3.0-or-later

/** What is measured, as flat rows: tables, charts and goals are all made of them. */

export type Unit = 's' | 'us' | 'MB/s' | 'MB' | 'count' | '%' | 'MB/repetition';

/** What was measured: everything but who was measured, and the value. */
export interface Question {
  /** Number of the workload. */
  readonly workload: number;
  /** What was done, such as `read everything, cold`. */
  readonly what: string;
  /** What of it, such as `time`. */
  readonly metric: string;
  readonly unit: Unit;
  /** How it was done, where one workload does it in several ways. */
  readonly readers?: number;
  readonly files?: 'small' | 'large';
  readonly layers?: number;
  readonly link?: string;
}

export interface Sample extends Question {
  readonly contender: string;
  readonly value: number;
}

/** What samples must be like; what is left out may be anything. */
export type Wanted = Partial<Omit<Sample, 'value'>>;

/** All repetitions of one measurement. */
export interface Summary extends Question {
  readonly contender: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly repetitions: number;
}

export class Samples {
  readonly rows: Sample[] = [];

  add(question: Question, contender: string, value: number): void {
    this.rows.push({ ...question, contender, value });
  }

  /** The median of what matches, or undefined: nothing does. */
  median(wanted: Wanted): number | undefined {
    const values = this.rows.filter((row) => matches(row, wanted)).map(({ value }) => value);
    return values.length === 0 ? undefined : median(values);
  }

  /** The least of what matches, or undefined: nothing does. */
  least(wanted: Wanted): number | undefined {
    const values = this.rows.filter((row) => matches(row, wanted)).map(({ value }) => value);
    return values.length === 0 ? undefined : Math.min(...values);
  }

  /** One line per measurement, in the order of their first repetitions. */
  summaries(): Summary[] {
    const groups = new Map<string, Sample[]>();
    for (const row of this.rows) {
      const key = JSON.stringify({ ...row, value: undefined });
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    return [...groups.values()].map((rows) => {
      const values = rows.map(({ value }) => value);
      const { value: _, ...question } = rows[0] as Sample;
      return {
        ...question,
        median: median(values),
        least: Math.min(...values),
        most: Math.max(...values),
        repetitions: values.length,
      };
    });
  }
}

function matches(row: Sample, wanted: Wanted): boolean {
  return Object.entries(wanted).every(([name, value]) => row[name as keyof Sample] === value);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which a share of the values lies, 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
