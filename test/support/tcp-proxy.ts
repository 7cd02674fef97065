/** Owns a TCP proxy in front of a Redis port that loses replies, goes silent or cuts connections when told to. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What to do with a piece of data that a client sends. */
export type RequestVerdict = 'forward' | 'swallow-reply-then-reset';

export type TcpProxyOptions = {
  /**
   * Looks at every piece of data a client sends while the proxy passes data through. A big command may come in several
   * pieces, and a piece may hold several pipelined commands.
   */
  readonly onRequest?: (bytes: Buffer) => RequestVerdict;
};

export type TcpProxy = {
  readonly port: number;
  /** Back to normal. Connections that lost data meanwhile are reset, for their streams have holes. */
  passThrough(): void;
  /** Once: the next request on any connection reaches Redis, its reply is thrown away and the connection reset. */
  swallowNextReply(): void;
  /** Black hole: takes connections and data, and forwards nothing either way. */
  dropAll(): void;
  /** Resets all connections, and every new one at once. */
  refuse(): void;
  /** Resets all connections now; new ones work. */
  resetAll(): void;
  /** How many replies have been swallowed, so that a test can prove its fault did happen. */
  swallowedReplies(): number;
  /** Resets all connections and closes the port. */
  stop(): Promise<void>;
};

type Link = {
  readonly client: Socket;
  readonly upstream: Socket | undefined;
  /** The reply to come is to be lost. */
  doomed: boolean;
  /** Data was thrown away. */
  holed: boolean;
};

/** Starts a proxy on a free port of 127.0.0.1 in front of `targetPort` there, passing everything through. */
export async function startTcpProxy(
  targetPort: number,
  options: TcpProxyOptions = {},
): Promise<TcpProxy> {
  const links = new Set<Link>();
  let mode: 'pass' | 'drop' | 'refuse' = 'pass';
  let swallowNext = false;
  let swallowed = 0;

  const reset = (link: Link): void => {
    links.delete(link);
    link.client.resetAndDestroy();
    // An orderly end towards Redis: what has been forwarded is still carried out.
    link.upstream?.end();
    // A frozen Redis never answers that end; nobody should wait for it.
    link.upstream?.unref();
  };
  const resetWhere = (test: (link: Link) => boolean): void => {
    for (const link of [...links]) if (test(link)) reset(link);
  };

  const onRequest = (link: Link, bytes: Buffer): void => {
    if (mode === 'drop' || link.upstream === undefined) {
      link.holed = true;
      return;
    }
    if (swallowNext || options.onRequest?.(bytes) === 'swallow-reply-then-reset') {
      swallowNext = false;
      link.doomed = true;
    }
    link.upstream.write(bytes);
  };
  const onReply = (link: Link, bytes: Buffer): void => {
    if (!links.has(link)) return;
    if (mode === 'drop') {
      link.holed = true;
    } else if (link.doomed) {
      swallowed += 1;
      reset(link);
    } else {
      link.client.write(bytes);
    }
  };

  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const upstream =
      mode === 'drop' ? undefined : connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, upstream, doomed: false, holed: upstream === undefined };
    links.add(link);
    client.on('data', (bytes) => onRequest(link, bytes));
    client.on('close', () => {
      links.delete(link);
      upstream?.end();
    });
    upstream?.on('data', (bytes) => onReply(link, bytes));
    upstream?.on('error', () => undefined);
    upstream?.on('close', () => {
      // In a black hole not even the end of the connection is seen.
      if (mode === 'drop') link.holed = true;
      else if (links.has(link)) reset(link);
    });
  });
  await listen(server);

  return {
    port: portOf(server),
    passThrough: () => {
      mode = 'pass';
      resetWhere((link) => link.holed);
    },
    swallowNextReply: () => {
      swallowNext = true;
    },
    dropAll: () => {
      mode = 'drop';
    },
    refuse: () => {
      mode = 'refuse';
      resetWhere(() => true);
    },
    resetAll: () => resetWhere(() => true),
    swallowedReplies: () => swallowed,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      resetWhere(() => true);
      await closed;
    },
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
  return address.port;
}
