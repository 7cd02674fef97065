// Owns ranges of IP addresses: which texts name one, and whether an address lies in any of a list.

import { BlockList, isIP, isIPv6 } from 'node:net';

const PREFIX_BITS: Readonly<Record<number, number>> = { 4: 32, 6: 128 };

/** Whether the text is an IP address or a CIDR range. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = PREFIX_BITS[isIP(address)];
  if (bits === undefined || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

/** Lists are made once: a cached record of a key has one as long as it lives. */
const blockLists = new WeakMap<readonly string[], BlockList>();

function blockListOf(ranges: readonly string[]): BlockList {
  const known = blockLists.get(ranges);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  blockLists.set(ranges, list);
  return list;
}

/** Whether an address lies in one of the ranges. An IPv4 address may come as IPv6 writes it; what is none lies nowhere. */
export function isWithin(ranges: readonly string[], ip: string | undefined): boolean {
  // Undefined once the connection is gone; behind a proxy it is whatever that wrote.
  const address = ip?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  if (isIP(address) === 0) return false;
  return blockListOf(ranges).check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Of each family two of the addresses that anybody may have, so far apart that no network holds both. */
const FAR_APART = [
  ['1.1.1.1', '203.0.113.1'],
  ['2001:db8::1', '3ffe::1'],
] as const;

/** Whether the ranges hold all addresses of a family, however they are written. */
export const areAllAddresses = (ranges: readonly string[]): boolean =>
  FAR_APART.some((addresses) => addresses.every((address) => isWithin(ranges, address)));
