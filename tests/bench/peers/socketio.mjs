// Socket.IO with one room: node socketio.mjs PORT
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const sockets = new Server(http, { transports: ['websocket'], perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.join('everybody');
  socket.on('say', (text) => sockets.to('everybody').emit('said', text));
});
http.listen(Number(process.argv[2]), '127.0.0.1');
