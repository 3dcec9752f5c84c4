// Socket.IO as it comes, over WebSockets alone: node socketio.mjs PORT PEERS
import { createRequire } from 'node:module';
import { createServer } from 'node:http';

const { Server } = createRequire(`${process.argv[3]}/`)('socket.io');
const server = createServer();
const io = new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  pingInterval: 600_000, // the generator answers none
});
io.on('connection', (socket) => {
  socket.on('m', (text) => io.emit('m', text));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
