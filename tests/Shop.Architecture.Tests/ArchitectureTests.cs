using System.Reflection;
using ArchUnitNET.Loader;
using Mono.Cecil;
using Shop.Inventory;
using Shop.Orders;
using Shop.Platform.Modules;
using Shop.Products;

namespace Shop.Architecture.Tests;

internal sealed class ArchitectureTests
{
    private static readonly Rules Shop = Load("Shop", typeof(ProductsModule).Assembly, typeof(OrdersModule).Assembly,
        typeof(InventoryModule).Assembly, typeof(IShopModule).Assembly, typeof(Host.ShopHost).Assembly);
    private static readonly Rules Samples = Load("Samples", typeof(ArchitectureTests).Assembly);

    [Test]
    public void Given_a_type_that_touches_another_modules_inside_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.TouchAnothersInside(), "Samples.Products.TouchesTheInside",
            "Samples.Inventory.KnowsOrders");

    [Test]
    public void Given_an_inventory_that_knows_someone_then_the_rule_catches_it_and_the_shops_knows_nobody() =>
        Check(rules => rules.PointTheWrongWay(), "Samples.Inventory.KnowsOrders");

    [Test]
    public void Given_a_public_type_that_is_no_contract_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.AreShownToTheWorld(), "Samples.Products.ShownToTheWorld");

    [Test]
    public void Given_SQL_outside_a_store_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.SpeakSqlOutsideAStore(), "Samples.Orders.SpeaksSql");

    [Test]
    public void Given_a_query_that_is_not_compiled_with_the_program_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.MakeCodeAtRunTime(), "Samples.Orders.Storage.Sqlite.QueryStore");

    [Test]
    public void Given_a_type_of_an_engine_outside_its_storage_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.KnowAnEngine(), "Samples.Orders.KnowsSqlite", "Samples.Orders.CatchesAnErrorOfSqlite",
            "Samples.Platform.KnowsSqlite", "Samples.Platform.KnowsPostgres");

    [Test]
    public void Given_a_storage_that_knows_the_other_engine_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.KnowTheOtherEngine(), "Samples.Orders.Storage.Sqlite.KnowsPostgres",
            "Samples.Orders.Storage.Postgres.KnowsSqlite");

    [Test]
    public void Given_a_platform_that_knows_a_module_then_the_rule_catches_it_and_the_shops_knows_none() =>
        Check(rules => rules.KnowAModuleFromThePlatform(), "Samples.Platform.KnowsAnId", "Samples.Platform.KnowsARoute",
            "Samples.Platform.KnowsAType");

    [Test]
    public void Given_a_metric_declared_outside_a_metrics_file_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.DeclareMetricsElsewhere(), "Samples.Orders.DeclaresAMetric");

    [Test]
    public void Given_a_body_with_a_time_that_is_no_UtcTime_then_the_rule_catches_it_and_the_shop_has_none() =>
        Check(rules => rules.TellTimeTheirOwnWay(), "Samples.Orders.TellsTimeItsOwnWayBody");

    [Test]
    public void Given_the_shop_then_the_rules_see_its_stores_and_its_metrics()
    {
        // A rule that looks at nothing would catch nothing.
        using AssemblyDefinition orders = AssemblyDefinition.ReadAssembly(typeof(OrdersModule).Assembly.Location);
        Assert.That(orders.MainModule.GetTypes().Select(type => type.FullName),
            Is.SupersetOf(new[] { "Shop.Orders.Storage.Sqlite.SqliteOrderStore", "Shop.Orders.OrderMetrics" }));
    }

    private static void Check(Func<Rules, IEnumerable<string>> rule, params string[] caught)
    {
        Assert.That(rule(Samples).Distinct(), Is.EquivalentTo(caught), "the samples");
        Assert.That(rule(Shop).Distinct(), Is.Empty, "the shop");
    }

    private static Rules Load(string root, params Assembly[] assemblies) => new(
        new ArchLoader().LoadAssemblies(assemblies).Build(),
        [.. assemblies.Select(assembly => AssemblyDefinition.ReadAssembly(assembly.Location))], root);
}
