"""Running the machine's own programs (ip, nft, mount) from the event loop."""

import asyncio
import subprocess


class CommandError(Exception):
    """A program ended with an error; the message has its command line and what it said."""


async def run(*command: str, text: str | None = None) -> str:
    """Run a program to its end, `text` on its standard input; its standard output, or CommandError."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = (await process.communicate((text or "").encode()))[0].decode(errors="replace")
    if process.returncode:
        raise CommandError(f"{' '.join(command)}: {output.strip()[-500:]}")
    return output


async def ip(lines: str, namespace: str | None = None) -> None:
    """Commands of `ip`, one per line, in one process."""
    where = ("-netns", namespace) if namespace else ()
    await run("ip", *where, "-batch", "-", text=lines)
