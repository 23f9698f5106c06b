import { GoogleAuth } from 'google-auth-library';

// A program that knows nothing of us: the application default credentials of Google's SDK.
try {
  const client = await new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).getClient();
  const { token } = await client.getAccessToken();
  process.stdout.write(`${JSON.stringify({ token })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ message: String(error) })}\n`);
}
