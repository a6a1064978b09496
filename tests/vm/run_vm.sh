#!/usr/bin/env bash
# run_vm.sh BIN_DIR: boots a cgroup v2 guest with the binaries of BIN_DIR and runs guest_test.sh in it.
# Exit 0: all passed. 77: skipped, with the reason. Else: failed.
set -euo pipefail
bin=$(readlink -f "${1:?BIN_DIR}")
here=$(dirname "$(readlink -f "$0")")
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/flotilla

skip() { echo "SKIP: $*"; exit 77; }
for tool in qemu-system-x86_64 cpio modprobe crun docker python3; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done
docker_cli=/usr/bin/docker
[ -x "$docker_cli" ] || docker_cli=$(command -v docker)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Hardware virtualisation needs both the device and a processor that offers it (some hosts have the
# device only for paravirtual guests, where a stock kernel never gets past its first instructions).
if [ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
  accelerator=(-accel kvm -cpu host)
  limit=180
elif [ -z "${FLO_TEST_FULL:-}${FLO_VM_EMULATE:-}" ]; then
  skip "no hardware virtualisation here (FLO_VM_EMULATE=1 emulates, which takes some minutes)"
else
  accelerator=(-accel tcg -cpu max)
  limit=840
  echo "INFO no hardware virtualisation here: emulating, which takes some minutes"
fi

fetch_kernel() {
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}' || true)  # apt's list may be without it
  [ -n "$package" ] || skip "no package linux-image-cloud-amd64 known to apt"
  kernel_dir=$cache/$package
  if [ ! -e "$kernel_dir/ready" ]; then
    mkdir -p "$kernel_dir"
    (cd "$work" && apt-get download -qq "$package" 2>/dev/null && dpkg -x "$package"_*.deb "$kernel_dir")
    touch "$kernel_dir/ready"
  fi
  release=$(basename "$kernel_dir"/lib/modules/*)
}

add_program() { # PATH [NAME]: a program with its libraries, at /bin/NAME
  local target=$root/bin/${2:-$(basename "$1")}
  cp -L "$1" "$target"
  local library
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true); do  # none for a static program
    [ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; }
  done
}

add_modules() {
  local modules="overlay veth bridge br_netfilter nf_tables nft_chain_nat nft_nat nft_masq nft_ct nft_fib_inet nf_conntrack"
  depmod -b "$kernel_dir" "$release"
  # shellcheck disable=SC2086
  modprobe -d "$kernel_dir" -S "$release" -a --show-depends $modules | awk '/^insmod/ {print $2}' | awk '!seen[$0]++' >"$work/modules"
  mkdir -p "$root/modules"
  local index=100
  while read -r module; do
    cp "$module" "$root/modules/$index-$(basename "$module")"
    index=$((index + 1))
  done <"$work/modules"
}

fetch_kernel
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,etc,var/lib}
for program in flotilla flotilla-shim flotilla-unpack; do
  add_program "$bin/$program"
done
add_program "$(command -v crun)"
mkdir -p "$root/usr/bin"
ln -s /bin/crun "$root/usr/bin/crun"  # where the daemon looks for it
add_program "$docker_cli" docker
add_program /bin/busybox
add_modules
python3 "$here/../../scripts/make-image" --output "$root/image.tar"
cp "$here/init" "$root/init"
cp "$here/guest_test.sh" "$root/guest_test.sh"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"

(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initramfs"

timeout "$limit" qemu-system-x86_64 "${accelerator[@]}" -smp 2 -m 2048 -nographic -no-reboot -nodefaults -serial stdio \
  -kernel "$kernel_dir"/boot/vmlinuz-* -initrd "$work/initramfs" \
  -append "console=ttyS0 quiet panic=-1 no_timer_check cgroup_no_v1=all" </dev/null | stdbuf -oL tr -d "\r" | tee "$work/output" | grep --line-buffered -aE '^(PASS|FAIL|INFO|VM-TEST)' || true
grep -aq '^VM-TEST OK' "$work/output" || { echo "the guest did not finish; its last lines:"; tail -n 40 "$work/output"; exit 1; }
