/** A page to walk through the routes with a browser. It needs nothing from anywhere else. */
export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>wasmPay stories</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
  input { font: inherit; width: 100%; box-sizing: border-box }
  button { font: inherit; margin: .5rem .5rem .5rem 0 }
  pre { background: #8881; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
</style>
<h1>wasmPay stories</h1>
<p>This page is served by a WebAssembly component. It has no secret; it has an identity.</p>
<p><button data-path="/api/v1/token">Who are you?</button></p>
<p><label>Prompt <input id="prompt" value="a payment that arrived on time"></label></p>
<p>
  <button data-path="/api/v1/story/exchange">Exchange at STS</button>
  <button data-path="/api/v1/story/credentials">Credentials from the host</button>
  <button data-path="/api/v1/story/inject">Signed by the host</button>
</p>
<pre id="answer">...</pre>
<script>
  const answer = document.getElementById('answer');
  const prompt = document.getElementById('prompt');
  for (const button of document.querySelectorAll('button')) {
    button.onclick = async () => {
      const { path } = button.dataset;
      const story = path.includes('story');
      answer.textContent = '...';
      const init = story ? { method: 'POST', body: JSON.stringify({ prompt: prompt.value }) } : {};
      try {
        const response = await fetch(path, init);
        answer.textContent = response.status + '\\n' + JSON.stringify(await response.json(), null, 2);
      } catch (error) {
        answer.textContent = String(error);
      }
    };
  }
</script>
</html>
`;
