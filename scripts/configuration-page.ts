// Owns docs/configuration.md, made from the one schema of the settings.

import { SECRET_SETTINGS, settingsSchema } from '../src/config-schema.ts';

interface Setting {
  readonly type: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

function allowed({ type, enum: values, minimum, maximum }: Setting): string {
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (type === 'integer') return `integer, ${minimum} to ${maximum}`;
  return type === 'boolean' ? '`true`, `false`' : 'text';
}

export function configurationPage(): string {
  const rows = Object.entries(settingsSchema.properties as unknown as Record<string, Setting>).map(
    ([name, setting]) => {
      const standard = setting.default === undefined ? 'none' : `\`${String(setting.default)}\``;
      return `| \`${name}\` | ${standard} | ${allowed(setting)} | ${setting.description ?? ''} |`;
    },
  );
  return `# Configuration

<!-- Generated from src/config-schema.ts by \`npm run generate\`. -->

Settings come from the environment. An empty value counts as absent. At the start every wrong setting is named at once, its
value never; \`node dist/main.js --check-config\` says the verdict and exits with 0 or 1.

${SECRET_SETTINGS.map((name) => `\`${name}\``).join(', ')} can also be given as the path of a file that holds the value, under
the name followed by \`_FILE\`.

| name | default | allowed | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
