#!/bin/sh
# Prints the CMake arguments that let PYTHON's extension modules find Python.h; nothing if they find it anyway.
#
#   tools/python_headers.sh PYTHON [FOLDER]
#
# Debian's python3 comes without its headers (they are in python3-dev). Where they are missing and apt-get and dpkg are
# at hand, the package that holds them is downloaded and unpacked under FOLDER (default: build/python-headers), which
# needs no root and installs nothing. PARING_FETCH_HEADERS=1 does so even if there are headers.
set -eu
python=$1
folder=${2:-build/python-headers}

read -r name include prefix <<END
$("$python" -c 'import sys, sysconfig
print("python%d.%d" % sys.version_info[:2], sysconfig.get_path("include"), sys.base_prefix)')
END
if [ -e "$include/Python.h" ] && [ "${PARING_FETCH_HEADERS:-}" != 1 ]; then exit 0; fi

package=lib$name-dev
give_up() {
  echo "paring: cannot build an extension module for $name: $1." >&2
  echo "paring: $2, then run the same command again." >&2
  exit 1
}

[ "$prefix" = /usr ] ||
  give_up "$include/Python.h is missing" "install the headers that belong to the Python in $prefix"
for tool in apt-get dpkg; do
  command -v $tool >/dev/null ||
    give_up "$include/Python.h is missing" "install the development package of $name (python3-devel, python3-dev)"
done
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
headers=$folder/$name/usr/include
if [ ! -e "$headers/$name/Python.h" ]; then
  echo "paring: $name has no headers here: fetching $package into $folder (nothing is installed)" >&2
  rm -rf "$folder/fetching"
  mkdir "$folder/fetching"
  cd "$folder/fetching"
  apt-get download "$package" >apt.log 2>&1 && dpkg -x "$package"_*.deb unpacked >>apt.log 2>&1 || {
    tail -n 3 apt.log >&2
    give_up "Python.h is missing and apt-get download $package failed" "run as root: apt install $package"
  }
  [ -e "unpacked/usr/include/$name/Python.h" ] ||
    give_up "$package holds no usr/include/$name/Python.h" "run as root: apt install $package"
  rm -rf "${folder:?}/$name"
  mv unpacked "$folder/$name"
  cd ..
  rm -rf fetching
fi
# pyconfig.h includes one named by the architecture, which lies beside: hence the second folder.
echo "-DPython_INCLUDE_DIR=$headers/$name -DCMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES=$headers"
