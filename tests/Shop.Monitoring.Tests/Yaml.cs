using YamlDotNet.RepresentationModel;

namespace Shop.Monitoring.Tests;

/// <summary>Reads YAML by keys.</summary>
internal static class Yaml
{
    public static YamlNode Load(params string[] path) => Parse(Repository.Text(path));

    public static YamlNode Read(string path) => Parse(File.ReadAllText(path));

    public static YamlNode Parse(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return yaml.Documents[0].RootNode;
    }

    public static YamlNode? At(this YamlNode? node, string key) =>
        node is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? value)
            ? value
            : null;

    public static string? Text(this YamlNode? node, string key) => (node.At(key) as YamlScalarNode)?.Value;

    public static IEnumerable<YamlNode> Items(this YamlNode? node) =>
        node is YamlSequenceNode list ? list.Children : [];

    public static IEnumerable<(string Key, YamlNode Value)> Members(this YamlNode? node) =>
        node is YamlMappingNode map
            ? map.Children.Select(child => (((YamlScalarNode)child.Key).Value!, child.Value))
            : [];
}
