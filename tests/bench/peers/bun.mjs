// Bun's own publish and subscribe: bun bun.mjs PORT
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, upgrader) {
    if (!upgrader.upgrade(request)) return new Response('a WebSocket is expected', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(ws) { ws.subscribe('everybody'); },
    message(_, text) { server.publish('everybody', text); },
  },
});
