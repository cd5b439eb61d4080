{
  'variables': {
    # 1: with libxenctrl and friends; follows the headers unless XCL_WITH_XEN says otherwise.
    'with_xen%': '<!(if test -n "$XCL_WITH_XEN"; then echo "$XCL_WITH_XEN"; elif test -e /usr/include/xenctrl.h; then echo 1; else echo 0; fi)',
    # 1: AddressSanitizer and UndefinedBehaviorSanitizer, for test/native.
    'sanitize%': '<!(echo "${XCL_SANITIZE:-0}")',
  },
  'targets': [
    {
      'target_name': 'xcl_native',
      'sources': [
        'src/addon.cc',
        'src/block_pool.cc',
        'src/c_text.cc',
        'src/causing_requests.cc',
        'src/dom0_devices.cc',
        'src/domain_spec.cc',
        'src/errors.cc',
        'src/exec_program.cc',
        'src/failure.cc',
        'src/loop_watch.cc',
        'src/loopback_object.cc',
        'src/loopback_world.cc',
        'src/machine_simulator.cc',
        'src/memory_range.cc',
        'src/os.cc',
        'src/output_queue.cc',
        'src/path_table.cc',
        'src/pty.cc',
        'src/ring_set.cc',
        'src/ring_set_adopt.cc',
        'src/ring_set_adopt_object.cc',
        'src/ring_set_input.cc',
        'src/ring_set_object.cc',
        'src/ring_set_output.cc',
        'src/shared_mapping.cc',
        'src/shared_ring.cc',
        'src/simulator_link.cc',
        'src/simulator_object.cc',
        'src/unix_socket.cc',
      ],
      'include_dirs': ['../node_modules/node-addon-api'],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17'],
      'cflags_cc': [
        '-std=gnu++20',
        '-fexceptions',
        '-fstack-protector-strong',
        '-fvisibility=hidden',
        '-Wall',
        '-Wextra',
        '-Werror=return-type',
      ],
      'ldflags': ['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
      'conditions': [
        ['sanitize==1', {
          'cflags_cc': ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-omit-frame-pointer', '-g'],
          'ldflags': ['-fsanitize=address,undefined'],
        }, {
          'defines': ['_FORTIFY_SOURCE=2'],
        }],
        ['with_xen==1', {
          'defines': ['XCL_WITH_XEN=1'],
          'sources': [
            'src/acpi_tables.cc',
            'src/domain_builder.cc',
            'src/domctl.cc',
            'src/machine_xen.cc',
            'src/xen_handle.cc',
            'src/xen_log.cc',
            'src/xen_object.cc',
          ],
          'libraries': ['-lxenctrl', '-lxenguest', '-lxenevtchn', '-lxengnttab', '-lxenforeignmemory', '-lxentoollog'],
        }],
      ],
    },
    {
      # The machine without Xen: native/simulator/host.
      'target_name': 'xcl-simulator',
      'type': 'executable',
      'sources': ['<!@(ls simulator/host/*.cc simulator/host/guests/*.cc 2>/dev/null)', 'src/shared_ring.cc'],
      'include_dirs': ['simulator', 'simulator/host'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17'],
      'cflags_cc': [
        '-std=gnu++20',
        '-fexceptions',
        '-fstack-protector-strong',
        '-fPIE',
        '-Wall',
        '-Wextra',
        '-Werror=return-type',
      ],
      'ldflags': ['-pie', '-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
      'conditions': [
        ['sanitize==1', {
          'cflags_cc': ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-omit-frame-pointer', '-g'],
          'ldflags': ['-fsanitize=address,undefined'],
        }, {
          'defines': ['_FORTIFY_SOURCE=2'],
        }],
      ],
    },
  ],
}
