// Owns how a script is sent: by its hash, written in one piece, and together with all that leaves in the same turn of the event loop (ADR 8).

import { hash } from 'node:crypto';
import { Cluster, Command } from 'ioredis';
import type { RedisClient } from './connect.ts';
import { type ScriptName, scripts } from './scripts.ts';

export type ScriptArgument = string | number | Buffer;

/** One run of a script: its keys and its arguments. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args?: readonly ScriptArgument[];
}

const hashes = Object.fromEntries(
  Object.entries(scripts).map(([name, { lua }]) => [name, hash('sha1', lua, 'hex')]),
) as Record<ScriptName, string>;

type Part = string | Buffer;

/** How the protocol announces a part of so many bytes; most are this short. */
const ANNOUNCED = Array.from({ length: 256 }, (_, size) => `$${size}\r\n`);

/** The text between the Buffers of a command, and these in their places. */
function layOut(parts: readonly Part[], sizeOf: (part: string) => number): Part[] {
  const pieces: Part[] = [];
  let text = `*${parts.length}\r\n`;
  for (const part of parts) {
    const isText = typeof part === 'string';
    const size = isText ? sizeOf(part) : part.length;
    text += ANNOUNCED[size] ?? `$${size}\r\n`;
    if (isText) text += part;
    else {
      pieces.push(text, part);
      text = '';
    }
    text += '\r\n';
  }
  pieces.push(text);
  return pieces;
}

const isAscii = (piece: Part): boolean =>
  typeof piece !== 'string' || Buffer.byteLength(piece) === piece.length;

/**
 * A command as the protocol wants it. ioredis measures and copies each argument by itself, once one of them is a Buffer. Here the text
 * is measured in one go: nearly always it is ASCII, with as many bytes as characters.
 */
export function encodeCommand(parts: readonly Part[]): Buffer {
  const pieces = layOut(parts, ({ length }) => length);
  if (!pieces.every(isAscii)) {
    return Buffer.concat(layOut(parts, Buffer.byteLength).map((piece) => Buffer.from(piece)));
  }
  const command = Buffer.allocUnsafe(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') command.write(piece, at, 'latin1');
    else command.set(piece, at);
    at += piece.length;
  }
  return command;
}

const asText = (argument: ScriptArgument): Part =>
  typeof argument === 'number' ? String(argument) : argument;

/**
 * A command that is written as the bytes made here, and whose replies are Buffers. `args`, which ioredis needs for the slot and puts into
 * errors and traces, says the script and the first key alone; with a Buffer among them a start cost a tenth more (docs/performance.md).
 */
function scriptCommand(
  verb: 'evalsha' | 'eval',
  script: string,
  { keys, args = [] }: ScriptCall,
): Command {
  const known = keys.slice(0, 1);
  const bytes = encodeCommand([verb, script, String(keys.length), ...keys, ...args.map(asText)]);
  const command = new Command(verb, [script, String(known.length), ...known], {
    replyEncoding: null,
  });
  command.toWritable = () => bytes;
  return command;
}

type Send = (command: Command) => Promise<unknown>;

/** A system call for each command would cost as much as all the rest of it. In a Cluster ioredis chooses the connection, out of our sight. */
function sendTogether(client: RedisClient): Send {
  if (client instanceof Cluster) {
    return (each) => {
      client.sendCommand(each);
      return each.promise;
    };
  }
  let held: typeof client.stream | undefined;
  return (each) => {
    const { stream } = client;
    if (stream !== undefined && stream !== held) {
      held = stream;
      stream.cork();
      setImmediate(() => {
        if (held === stream) held = undefined;
        stream.uncork();
      });
    }
    client.sendCommand(each);
    return each.promise;
  };
}

/**
 * Makes the sender of scripts on a connection. A script that Redis has forgotten is sent once more as text: NOSCRIPT means that
 * nothing was done, and text cannot be forgotten.
 */
export function createScriptSender(
  client: RedisClient,
): (name: ScriptName, call: ScriptCall) => Promise<unknown> {
  const send = sendTogether(client);
  return (name, call) =>
    send(scriptCommand('evalsha', hashes[name], call)).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return send(scriptCommand('eval', scripts[name].lua, call));
    });
}
