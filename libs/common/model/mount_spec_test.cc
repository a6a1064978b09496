#include "common/model/mount_spec.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

std::string bindAnswer(const std::string& spec) {
  auto mount = parseBind(spec);
  return mount ? "OK" : mount.error().message();
}

// Each answer was seen on dockerd 28.5.2.
TEST(ParseBind, RefusesWhatDockerdRefuses) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "invalid volume specification: ''"},
      {":", "invalid volume specification: ':'"},
      {"/a:", "invalid volume specification: '/a:'"},
      {":/b", "invalid volume specification: ':/b'"},
      {"/a:b",
       "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' "
       "mount path must be absolute"},
      {"/a:/b:foo", "invalid mode: foo"},
      {"/a:/b:ro,rw", "invalid mode: ro,rw"},
      {"/a:/b:ro:c", "invalid volume specification: '/a:/b:ro:c'"},
      {"/a:/",
       "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: "
       "destination can't be '/'"},
      {"/tmp:/c:nocopy",
       "invalid volume specification: '/tmp:/c:nocopy': invalid mount config for type \"bind\": "
       "field VolumeOptions must not be specified"},
      {"/tmp:/c:slave,shared", "invalid mode: slave,shared"},
      {"vv:/c:rshared",
       "invalid volume specification: 'vv:/c:rshared': invalid mount config for type \"volume\": "
       "field BindOptions must not be specified"},
      {"/a::ro",
       "invalid volume specification: '/a::ro': invalid mount config for type \"bind\": field Target must "
       "not be empty"},
      {"/tmp:/c:z,Z", "invalid mode: z,Z"},
      {"/tmp:/c:", "OK"},
      {"/tmp:/c:Z,ro", "OK"},
      {"/tmp:/c:consistent", "OK"},
      {"vv:/c:nocopy,ro", "OK"},
  };
  for (const auto& [spec, expected] : cases) {
    EXPECT_EQ(bindAnswer(spec), expected);
  }
}

TEST(ParseBind, TellsPathsFromVolumes) {
  const MountPoint bind = parseBind("/a/../tmp/:/x//y:ro,rslave").value();
  EXPECT_EQ(bind.kind, MountPoint::Kind::Bind);
  EXPECT_EQ(bind.source, "/tmp");
  EXPECT_EQ(bind.target, "/x/y");
  EXPECT_TRUE(bind.read_only);
  EXPECT_TRUE(bind.create_source);
  EXPECT_EQ(bind.propagation, "rslave");
  const MountPoint volume = parseBind("data:/x:nocopy").value();
  EXPECT_EQ(volume.kind, MountPoint::Kind::Volume);
  EXPECT_EQ(volume.source, "data");
  EXPECT_FALSE(volume.copy);
  EXPECT_EQ(parseBind("/anon")->source, "");
}

Mount mountOf(const std::string& type, const std::string& source, const std::string& target) {
  Mount mount;
  mount.type = type;
  mount.source = source;
  mount.target = target;
  return mount;
}

TEST(ParseMount, RefusesWhatDockerdRefuses) {
  auto answer = [](const Mount& mount) {
    auto result = parseMount(mount);
    return result ? std::string("OK") : result.error().message();
  };
  const std::string prefix = "invalid mount config for type ";
  EXPECT_EQ(answer(mountOf("", "", "")), prefix + "\"\": field Target must not be empty");
  EXPECT_EQ(answer(mountOf("bind", "", "/a")), prefix + "\"bind\": field Source must not be empty");
  EXPECT_EQ(answer(mountOf("foo", "", "/a")), prefix + "\"foo\": mount type unknown");
  EXPECT_EQ(answer(mountOf("bind", "tmp", "/a")),
            prefix + "\"bind\": invalid mount path: 'tmp' mount path must be absolute");
  EXPECT_EQ(answer(mountOf("bind", "/tmp", "/")),
            prefix + "\"bind\": invalid specification: destination can't be '/'");
  EXPECT_EQ(answer(mountOf("tmpfs", "x", "/a")),
            prefix + "\"tmpfs\": field Source must not be specified");
  Mount propagation = mountOf("bind", "/tmp", "/a");
  propagation.propagation = "foo";
  EXPECT_EQ(answer(propagation), prefix + "\"bind\": invalid propagation mode: foo");
}

TEST(ParseMount, WritesTmpfsOptions) {
  Mount mount = mountOf("tmpfs", "", "/c");
  mount.tmpfs_size = 1048576;
  mount.tmpfs_mode = 01700;
  EXPECT_EQ(parseMount(mount)->tmpfs_options, (std::vector<std::string>{"mode=1700", "size=1m"}));
}

TEST(CollectMounts, OrdersByDepthAndRefusesDuplicates) {
  ContainerConfig config;
  HostConfig host;
  config.volumes = {"/data", "/x"};
  host.binds = {"/tmp:/a/b/c", "/tmp:/x"};
  host.tmpfs = {{"/a", "size=1m,,exec"}};
  const auto mounts = collectMounts(config, host).value();
  ASSERT_EQ(mounts.size(), 4U);  // the image's /x gives way to the bind
  EXPECT_EQ(mounts.back().target, "/a/b/c");
  host.mounts = {mountOf("tmpfs", "", "/x/")};
  EXPECT_EQ(collectMounts(config, host).error().message(), "Duplicate mount point: /x/");
}

TEST(CleanPath, IsLexical) {
  EXPECT_EQ(cleanPath("/a//b/../c/"), "/a/c");
  EXPECT_EQ(cleanPath("/../.."), "/");
  EXPECT_EQ(cleanPath("a/.."), ".");
  EXPECT_EQ(cleanPath("../a"), "../a");
  EXPECT_EQ(cleanPath(""), ".");
}

TEST(VolumesFrom, IsAContainerAndAMode) {
  const auto plain = parseVolumesFrom("web");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->container, "web");
  EXPECT_FALSE(plain->read_only);
  for (const char* spec : {"web:ro", "web:ro,z", "web:z,ro,cached"}) {
    const auto parsed = parseVolumesFrom(spec);
    ASSERT_TRUE(parsed) << spec;
    EXPECT_EQ(parsed->container, "web");
    EXPECT_TRUE(parsed->read_only) << spec;
  }
  EXPECT_TRUE(parseVolumesFrom("web:"));
  EXPECT_FALSE(parseVolumesFrom("web:rw")->read_only);
}

TEST(VolumesFrom, RefusesWhatDockerdRefuses) {
  EXPECT_EQ(parseVolumesFrom("").error().message(),
            "volumes-from specification cannot be an empty string");
  for (const char* mode : {"zz", "rshared", "nocopy", "ro,ro", "ro:rw"}) {
    const auto parsed = parseVolumesFrom(std::string("web:") + mode);
    ASSERT_FALSE(parsed) << mode;
    EXPECT_EQ(parsed.error().message(), std::string("invalid mode: ") + mode);
  }
}

}  // namespace
}  // namespace flotilla::model
