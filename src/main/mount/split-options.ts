// SPDX-License-Identifier: GPL-3.0-or-later

/** Options in one text: commas in double quotes do not end one, as mount(8) has it for SELinux contexts. */
export function splitOptions(text: string): string[] {
  const options = text.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  return options.map((option) => option.replaceAll('"', ''));
}
