// Owns openapi.yaml, made from the schemas of the routes.

import { stringify } from 'yaml';
import { createTestApp } from '../test/support/test-app.ts';

/** The document as YAML; the same text for the same routes. */
export async function openapiDocument(): Promise<string> {
  const { app } = await createTestApp();
  await app.ready();
  const document = app.swagger();
  await app.close();
  return `# Generated from the schemas of the routes by \`npm run generate\`.\n${stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}
