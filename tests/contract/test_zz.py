import asyncio
async def test_hang():
    await asyncio.Event().wait()
