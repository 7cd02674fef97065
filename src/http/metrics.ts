// Owns the numbers for Prometheus: what they are called and what feeds them. Labels are route patterns and names, never values of a request.

import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { SessionEvent } from '../sessions/events.ts';

export interface Metrics {
  readonly contentType: string;
  /** The numbers as Prometheus text. */
  render(): Promise<string>;
  countEvent(event: SessionEvent): void;
  observeRequest(method: string, route: string, status: number, seconds: number): void;
  observeStore(operation: string, seconds: number, outage: boolean): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const events = new Counter({
    name: 'session_events_total',
    help: 'What happened to sessions: started, refreshed, replayed, reused, revoked and more.',
    labelNames: ['event'],
    registers,
  });
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Requests by route pattern and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  });
  const operations = new Histogram({
    name: 'store_operation_duration_seconds',
    help: 'Operations on the store.',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });
  const outages = new Counter({
    name: 'store_outages_total',
    help: 'Operations that the store did not answer in time or refused.',
    labelNames: ['operation'],
    registers,
  });
  // Finding a series by its labels costs more than counting in it.
  const series = new Map<string, { observe(seconds: number): void }>();
  const seriesOf = (name: string, find: () => { observe(seconds: number): void }) => {
    const known = series.get(name) ?? find();
    series.set(name, known);
    return known;
  };
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    countEvent: ({ name, count = 1 }) => events.inc({ event: name }, count),
    observeRequest: (method, route, status, seconds) =>
      seriesOf(`${method} ${route} ${status}`, () =>
        requests.labels({ method, route, status }),
      ).observe(seconds),
    observeStore(operation, seconds, outage) {
      seriesOf(operation, () => operations.labels({ operation })).observe(seconds);
      if (outage) outages.inc({ operation });
    },
  };
}
