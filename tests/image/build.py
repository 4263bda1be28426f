"""Builds docmill's image, also on a machine that reaches no registry of images: the base is made from Debian's packages
then.

    python -m tests.image.build [--target docmill-tesseract] [--tag docmill:test]

Needs buildah, and root; says so and ends with status 3 where either is missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.11-slim-bookworm"
PACKAGES = "buildah podman runc netavark aardvark-dns iptables catatonit mmdebstrap"
CANNOT = 3
"""The exit status for a machine that cannot build or run images."""
ENVIRON = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
"""What works without a kernel that lets containers nest: plain files, a plain chroot."""
_CERTIFICATES = Path("/etc/ssl/certs")
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


class CannotError(RuntimeError):
    """This machine cannot build images; the message says what is missing."""


def run(*command: str, quiet: bool = False) -> str:
    """A command's standard output. Raises RuntimeError with what it said when it fails."""
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"[-8000:])
    if not quiet and done.stdout.strip():
        print(done.stdout.strip().splitlines()[-1], flush=True)
    return done.stdout


def install_tools() -> None:
    """Debian's packages for building and running images, where they are missing. Raises CannotError."""
    if os.geteuid() != 0:
        raise CannotError("building images here needs root")
    if all(map(shutil.which, ("buildah", "podman", "runc", "mmdebstrap"))):
        return
    if not shutil.which("apt-get"):
        raise CannotError(f"install {PACKAGES}")
    run("apt-get", "update", "-qq", quiet=True)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES.split(), quiet=True)


def make_base() -> None:
    """The image that the Containerfile builds on: there already, pulled, or made of Debian's packages."""
    known = subprocess.run(
        ["buildah", "inspect", "--type", "image", BASE], env=ENVIRON, capture_output=True, check=False
    )
    if known.returncode == 0:
        return
    try:
        pulled = subprocess.run(
            ["buildah", "pull", "-q", BASE], env=ENVIRON, capture_output=True, timeout=120, check=False
        )
        if pulled.returncode == 0:
            return
    except subprocess.TimeoutExpired:
        pass
    print("no registry of images answers: the base is made of Debian's packages", flush=True)
    with tempfile.TemporaryDirectory(prefix="docmill-image-") as folder:
        sources = [str(_SOURCES)] if _SOURCES.exists() else []
        include = "--include=python3,python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", include, "bookworm", f"{folder}/base.tar", *sources, quiet=True)
        (Path(folder) / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        run("buildah", "build", "-q", "-t", BASE, "-f", f"{folder}/Containerfile", folder, quiet=True)


def build(target: str, tag: str) -> None:
    """Build the image. This machine's certificates are known while it is built, and are not in it."""
    install_tools()
    make_base()
    with tempfile.TemporaryDirectory(prefix="docmill-image-") as folder:
        (Path(folder) / "pip.conf").write_text(f"[global]\ncert = {_CERTIFICATES}/ca-certificates.crt\n")
        (Path(folder) / "uv.toml").write_text("native-tls = true\n")
        mounts = [
            f"{_CERTIFICATES}:{_CERTIFICATES}:ro",
            f"{folder}/pip.conf:/etc/pip.conf:ro",
            f"{folder}/uv.toml:/etc/uv/uv.toml:ro",
        ]
        volumes = [part for mount in mounts for part in ("--volume", mount)]
        run(
            "buildah",
            "build",
            "--layers",
            "--network",
            "host",
            *volumes,
            "--target",
            target,
            "-t",
            tag,
            "-f",
            "Containerfile",
            ".",
        )


def size(tag: str) -> int:
    """Bytes of the image, unpacked."""
    return int(run("podman", "image", "inspect", "--format", "{{.Size}}", tag, quiet=True))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--target", default="docmill")
    arguments.add_argument("--tag", default="localhost/docmill:test")
    chosen = arguments.parse_args()
    try:
        build(chosen.target, chosen.tag)
    except CannotError as error:
        print(f"no image was built: {error}")
        sys.exit(CANNOT)
    print(f"{chosen.tag}: {size(chosen.tag) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
