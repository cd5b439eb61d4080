# What the layers above may rely on at the hypervisor seam, claimed on real Xen; it prints its own TAP.
# No daemon runs: the contract is about Xen alone.
. ./lib.sh
# Disks from files are loop devices.
modprobe loop
export XCL_GUEST_PV=/rig/guest-pv.elf XCL_GUEST_PVH=/rig/guest-pvh.elf
timeout 240 node /opt/xcl/test/hypervisor-contract.cjs > /out/contract.tap 2> /out/contract.err
status=$?
cat /out/contract.tap /out/contract.err
cp /out/contract.tap "$RESULTS"
exit $status
