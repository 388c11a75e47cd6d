#!/bin/sh
# The article's own commands for one node of the web pair, with the names that Debian's packages have today.
# Usage: sh article.sh first|second, on both nodes at the same time.
# For bare machines of the lab only: it formats the disk, so it ends where that is not blank.
set -eu
if [ -n "$(blkid -p /dev/ubdb)" ]; then
  echo "/dev/ubdb is not blank" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y install chrony drbd-utils heartbeat apache2 bsd-mailx dma >/dev/null

cat > /etc/drbd.d/repl.res <<'RES'
resource repl {
  protocol C;
  startup { degr-wfc-timeout 120; }
  disk { on-io-error detach; resync-rate 100M; }
  on debian1 { device /dev/drbd0; disk /dev/ubdb; address 10.0.0.1:7788; meta-disk internal; }
  on debian2 { device /dev/drbd0; disk /dev/ubdb; address 10.0.0.2:7788; meta-disk internal; }
}
RES
modprobe drbd
drbdadm -- --force create-md repl
drbdadm up repl
until [ "$(drbdadm cstate repl)" = Connected ]; do sleep 0.2; done
mkdir -p /mnt/repl
if [ "$1" = first ]; then
  drbdadm -- --overwrite-data-of-peer primary repl
  mkfs.ext4 -q /dev/drbd0
  mount /dev/drbd0 /mnt/repl
  echo '<h1>It works</h1>' > /mnt/repl/index.html
  umount /mnt/repl
  drbdadm secondary repl
fi
until drbdadm dstate repl | grep -q UpToDate/UpToDate; do sleep 0.2; done

systemctl disable --now apache2 2>/dev/null
rm -rf /var/www/html
ln -s /mnt/repl /var/www/html
cat > /etc/ha.d/authkeys <<'KEYS'
auth 1
1 md5 "Icimonsupermotdepasse"
KEYS
chmod 0600 /etc/ha.d/authkeys
# IPaddr, which a bare address means, needs ifconfig; IPaddr2 is the same with today's programs.
echo 'debian1 IPaddr2::192.168.69.16 IPaddr2::192.168.69.100 drbddisk::repl Filesystem::/dev/drbd0::/mnt/repl::ext4 apache2 MailTo::root' \
  > /etc/ha.d/haresources
cat > /etc/ha.d/ha.cf <<'HA'
logfile /var/log/ha-log
keepalive 1
deadtime 10
warntime 4
initdead 20
auto_failback off
bcast eth1
node debian1
node debian2
HA
systemctl enable --now heartbeat
