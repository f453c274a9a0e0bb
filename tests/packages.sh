#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that the named purposes need (build, run, test, ci) and that are not there yet.
# Says what it installs and why; with everything present it does nothing.
set -euo pipefail

list() {
  case "$1" in
    build) cat <<'LIST'
gcc:compiles the C parts of the codecs and of the crypto library
g++:compiles libaom
make:drives the build of the C parts
cmake:builds libaom, Opus and the crypto library
nasm:assembles the fast paths of the AV1 codecs
pkg-config:finds ALSA
libasound2-dev:microphone and speaker
libclang-dev:reads the camera headers
LIST
      ;;
    run) cat <<'LIST'
libvulkan1:talks to the GPU
mesa-vulkan-drivers:GPU drivers, and a software one where there is no GPU
libxkbcommon-x11-0:keyboard in a window
libxcursor1:pointer in a window
libxi6:input in a window
libxrandr2:screens
LIST
      ;;
    test) cat <<'LIST'
xvfb:a display for the window tests
xdotool:clicks in the window tests
x11-utils:waits for the display
imagemagick:photographs the window
pulseaudio:a sound server for the sound tests
pulseaudio-utils:plays and records in the sound tests
libasound2-plugins:lets ALSA reach the sound server
iproute2:network namespaces for the network tests
iptables:address translation for the network tests
LIST
      ;;
    ci) cat <<'LIST'
meson:builds the C decoder (feature c-dav1d)
ninja-build:builds the C decoder (feature c-dav1d)
LIST
      ;;
    *)
      echo "packages.sh: unknown purpose '$1' (build, run, test, ci)" >&2
      exit 2
      ;;
  esac
}

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

missing=()
for purpose in "$@"; do
  while IFS=: read -r package why; do
    if ! installed "$package"; then
      missing+=("$package")
      echo "missing: $package ($why)" >&2
    fi
  done < <(list "$purpose")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "This is not Debian or Ubuntu: please install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "Installing needs root. Run as root: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
