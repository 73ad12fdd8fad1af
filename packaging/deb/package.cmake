# Settings of CPack's DEB generator. LUNAR_PACKAGE_VERSION lets the upgrade test build a newer package of the same tree.
set(LUNAR_PACKAGE_VERSION ${PROJECT_VERSION}-1 CACHE STRING "version of the Debian package")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lunar-gateway)  # Debian already has a package lunar
set(CPACK_PACKAGE_VERSION ${LUNAR_PACKAGE_VERSION})
set(CPACK_PACKAGE_VENDOR "Lunar contributors")
set(CPACK_PACKAGE_CONTACT "Lunar contributors <lunar@example.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "transparent egress gateway for third-party APIs")
set(CPACK_PACKAGE_DESCRIPTION
"Lunar captures the outgoing connections of chosen systemd units, containers
or commands in the kernel and relays them through a local gateway, without
any change to the programs. It attributes each call to its process, applies
lists of permitted hosts and exports metrics and an access log.
.
When the gateway is slow, stuck or gone, the kernel sends new connections
directly to their destination.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_LIST_DIR}/conffiles ${CMAKE_CURRENT_LIST_DIR}/postinst
    ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm)

include(CPack)
