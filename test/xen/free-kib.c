/* Prints Xen's free memory in KiB: `xl info` rounds to MiB, too coarse to say what a guest has left. */
#include <stdio.h>
#include <xenctrl.h>

int main(void)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	xc_physinfo_t info = { 0 };
	if (xen == NULL || xc_physinfo(xen, &info) != 0) {
		perror("free-kib");
		return 1;
	}
	printf("%llu\n", (unsigned long long)info.free_pages * 4);
	return xc_interface_close(xen);
}
