// Who may ask the composed demo's identity provider for tokens.

const api = {
  scope:
    'products:read orders:read orders:write customers:read customers:personal payments:read payments:full payments:write',
  audience: 'https://api.harbour.example',
};

export const resources = {
  'https://api.harbour.example': {
    ...api,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
    jwt: { sign: { alg: 'ES256' } },
  },
  'https://api.harbour.example/opaque': { ...api, accessTokenFormat: 'opaque', accessTokenTTL: 600 },
};

const client = (name, scope) => ({
  client_id: name,
  client_secret: `${name}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope,
});

export const clients = [
  client('helpdesk', 'products:read orders:read customers:read'),
  client('care', 'orders:read orders:write customers:read customers:personal'),
  // The gateway itself, which asks about opaque tokens.
  client('gateway'),
  client('books', 'orders:read payments:read payments:write payments:full'),
];
