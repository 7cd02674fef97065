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

/** A command as the protocol wants it. ioredis measures and copies each argument by itself, once one of them is a Buffer: 15 µs for the twenty of a start. */
function encode(parts: readonly (string | Buffer)[]): Buffer {
  const pieces: Buffer[] = [];
  let text = `*${parts.length}\r\n`;
  for (const part of parts) {
    if (typeof part === 'string') text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`;
    else {
      pieces.push(Buffer.from(`${text}$${part.length}\r\n`), part);
      text = '\r\n';
    }
  }
  pieces.push(Buffer.from(text));
  return Buffer.concat(pieces);
}

const asText = (argument: ScriptArgument): string | Buffer =>
  typeof argument === 'number' ? String(argument) : argument;

/** Replies are Buffers. */
class ScriptCommand extends Command {
  constructor(verb: 'evalsha' | 'eval', script: string, { keys, args = [] }: ScriptCall) {
    super(verb, [], { replyEncoding: null });
    // Not by the constructor above, which looks for lists among them.
    this.args = [script, String(keys.length), ...keys, ...args.map(asText)];
  }
  override toWritable(): Buffer {
    return encode([this.name, ...(this.args as (string | Buffer)[])]);
  }
}

type Send = (command: Command) => unknown;

/** A system call for each command would cost as much as all the rest of it. In a Cluster ioredis chooses the connection, out of our sight. */
function sendTogether(client: RedisClient): Send {
  if (client instanceof Cluster) return (each) => client.sendCommand(each);
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
    return client.sendCommand(each);
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
  return async (name, call) => {
    try {
      return await send(new ScriptCommand('evalsha', hashes[name], call));
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await send(new ScriptCommand('eval', scripts[name].lua, call));
    }
  };
}
