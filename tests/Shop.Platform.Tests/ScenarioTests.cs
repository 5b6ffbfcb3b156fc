using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Faults;
using Shop.Platform.Live;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>Scenarios on a clock that goes on only when it is told to, and what a file of them may say.</summary>
internal sealed class ScenarioTests
{
    private string _directory = null!;
    private ManualClock _clock = null!;

    [SetUp]
    public void MakeDirectory()
    {
        _directory = Directory.CreateTempSubdirectory("shop-scenarios-").FullName;
        _clock = new ManualClock { Start = new DateTimeOffset(2026, 3, 7, 11, 17, 23, TimeSpan.Zero) };
    }

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase("""{"at":0,"traffic":20},{"at":310,"traffic":0}""", 310)]
    [TestCase("""{"at":0,"traffic":20},{"at":70,"fault":"slow_answers","seconds":90},{"at":310,"traffic":0}""", 310)]
    [TestCase("""{"at":70,"fault":"slow_answers","seconds":900},{"at":310,"traffic":0}""", 970)]
    [TestCase("""{"at":70,"fault":"slow_answers","seconds":900},{"at":310,"fault":"slow_commits","seconds":60}""", 970)]
    [TestCase("""{"at":310,"fault":"slow_answers","seconds":77}""", 387)]
    public void Given_steps_then_a_scenario_takes_until_the_last_of_their_ends(string steps, int seconds) =>
        Assert.That(Read(steps)[^1].Length, Is.EqualTo(TimeSpan.FromSeconds(seconds)));

    [Test]
    public async Task Given_a_fault_that_outlasts_the_last_step_then_the_scenario_is_played_until_its_end()
    {
        await using Stage stage = Begin(
            """{"at":50,"fault":"slow_answers","intensity":0.007,"seconds":400},{"at":90,"traffic":0}""");
        stage.Player.Play(stage.Scenario, null);
        foreach (int seconds in new[] { 50, 40 })
        {
            await _clock.UntilWaitingAsync(TimeSpan.FromSeconds(seconds));
            await _clock.PassAsync(TimeSpan.FromSeconds(seconds));
        }

        // The fault, and the end of the scenario.
        await _clock.UntilWaitingAsync(TimeSpan.FromSeconds(360), timers: 2);
        Assert.That((stage.Running("slow_answers"), stage.Player.StartOf(stage.Scenario)),
            Is.EqualTo((0.007m, _clock.Start)));
        await _clock.PassAsync(TimeSpan.FromSeconds(360));
        await Eventually.IsSoAsync(() =>
            stage.Player.StartOf(stage.Scenario) is null && stage.Running("slow_answers") is null);
    }

    [Test]
    public async Task Given_a_fault_at_the_start_then_it_runs_from_the_first_moment_on()
    {
        await using Stage stage = Begin(
            """{"at":0,"fault":"slow_answers","intensity":0.007,"seconds":40},{"at":50,"traffic":0}""");
        stage.Player.Play(stage.Scenario, null);
        await Eventually.IsSoAsync(() => stage.Running("slow_answers") == 0.007m);
    }

    [Test]
    public async Task Given_what_somebody_has_started_when_a_scenario_is_played_and_ended_then_its_faults_end_with_it_and_else_nothing_does()
    {
        await using Stage stage = Begin("""{"at":600,"fault":"slow_answers","seconds":60}""");
        stage.Switch.Start(stage.Fault("slow_commits"), 0.3m, TimeSpan.FromMinutes(5));
        stage.Traffic.Start(3, null);
        stage.Player.End();
        Assert.That((stage.Running("slow_commits"), stage.Traffic.Rate), Is.EqualTo((0.3m, 3)), "none is played");
        stage.Player.Play(stage.Scenario, null);
        Assert.That((stage.Running("slow_commits"), stage.Traffic.Rate), Is.EqualTo(((decimal?)null, 3)),
            "faults that run end, and traffic that no scenario has started goes on");
        stage.Switch.Start(stage.Fault("failing_commits"), 0.2m, TimeSpan.FromMinutes(5));
        stage.Player.End();
        Assert.That((stage.Running("failing_commits"), stage.Traffic.Rate, stage.Player.StartOf(stage.Scenario)),
            Is.EqualTo(((decimal?)null, 0, (DateTimeOffset?)null)));
    }

    [Test]
    public async Task Given_a_scenario_when_the_shop_is_started_again_then_it_goes_on_and_begins_no_fault_anew()
    {
        const string Steps = """
            {"at":0,"traffic":3},{"at":100,"fault":"slow_answers","seconds":900},{"at":130,"traffic":2},
            {"at":400,"fault":"slow_commits","intensity":0.25,"seconds":60},{"at":2000,"traffic":0}
            """;
        await using (Stage first = Begin(Steps))
        {
            first.Player.Play(first.Scenario, null);
            await _clock.UntilWaitingAsync(TimeSpan.FromSeconds(100));
            await _clock.PassAsync(TimeSpan.FromSeconds(100));
            await Eventually.IsSoAsync(() => first.Running("slow_answers") is not null);
            first.Switch.End(first.Fault("slow_answers")); // somebody has seen enough of it
            await _clock.UntilWaitingAsync(TimeSpan.FromSeconds(30));
        }

        await using Stage again = Begin(Steps, passed: TimeSpan.FromSeconds(71));
        await _clock.UntilWaitingAsync(TimeSpan.FromSeconds(229));
        Assert.That((again.Running("slow_answers"), again.Traffic.Rate, again.Player.StartOf(again.Scenario)),
            Is.EqualTo(((decimal?)null, 2, _clock.Start)));
        await _clock.PassAsync(TimeSpan.FromSeconds(229));
        await Eventually.IsSoAsync(() => again.Running("slow_commits") == 0.25m);
        Assert.That(again.Running("slow_answers"), Is.Null);
    }

    [TestCase("""{"at":0,"traffic":0}""", null)]
    [TestCase("""{"at":0,"traffic":500}""", null)]
    [TestCase("""{"at":0,"traffic":501}""", "must have traffic from 0 to 500")]
    [TestCase("""{"at":0,"traffic":-1}""", "must have traffic from 0 to 500")]
    [TestCase("""{"at":-1,"traffic":1}""", "is before the start")]
    [TestCase("""{"at":604800,"traffic":1}""", null)]
    [TestCase("""{"at":604801,"traffic":1}""", "is more than a week after the start")]
    [TestCase("""{"at":9,"traffic":1},{"at":9,"traffic":2}""", null)]
    [TestCase("""{"at":9,"traffic":1},{"at":8,"traffic":2}""", "step 2 of x is before step 1")]
    [TestCase("""{"at":0}""", "must have either traffic or a fault")]
    [TestCase("""{"at":0,"traffic":1,"fault":"slow_answers","seconds":1}""", "must have either traffic or a fault")]
    [TestCase("""{"at":0,"fault":"slow_answers","seconds":1}""", null)]
    [TestCase("""{"at":0,"fault":"slow_answers","seconds":3600}""", null)]
    [TestCase("""{"at":0,"fault":"slow_answers","seconds":0}""", "must have seconds from 1 to 3600")]
    [TestCase("""{"at":0,"fault":"slow_answers","seconds":3601}""", "must have seconds from 1 to 3600")]
    [TestCase("""{"at":0,"fault":"slow_answers"}""", "must have seconds from 1 to 3600")]
    [TestCase("""{"at":0,"fault":"Slow_answers","seconds":1}""", "names 'Slow_answers', which is no fault")]
    [TestCase("""{"at":0,"fault":"slow_answers","intensity":0.001,"seconds":1}""", null)]
    [TestCase("""{"at":0,"fault":"slow_answers","intensity":0.0009,"seconds":1}""", "that is from 0.001 to 10")]
    [TestCase("""{"at":0,"fault":"slow_answers","intensity":10,"seconds":1}""", null)]
    [TestCase("""{"at":0,"fault":"slow_answers","intensity":10.001,"seconds":1}""", "that is from 0.001 to 10")]
    [TestCase("""{"at":0,"fault":"flash_crowd","intensity":1.5,"seconds":1}""", "a whole number from 1 to 1000")]
    [TestCase("""{"at":0,"fault":"slow_network","seconds":1}""", "can't be played: slow_network needs PostgreSQL")]
    [TestCase("""{"at":0,"fault":"slow_answers","sconds":1}""", "can't be read")]
    public void Given_a_step_then_it_is_taken_if_it_can_be_played_and_else_the_start_says_why(
        string steps, string? why)
    {
        if (why is null) Assert.That(Read(steps)[^1].Steps, Is.Not.Empty);
        else Assert.That(() => Read(steps), Throws.TypeOf<ShopStartException>().With.Message.Contains(why));
    }

    [TestCase("a-b1", true)]
    [TestCase("", false)]
    [TestCase("a b", false)]
    [TestCase("a/b", false)]
    [TestCase("naïve", false)]
    public void Given_a_name_then_a_scenario_has_it_if_it_fits_into_an_address(string name, bool isRight)
    {
        string steps = """{"at":0,"traffic":1}""";
        if (isRight) Assert.That(Read(steps, name)[^1].Name, Is.EqualTo(name));
        else Assert.That(() => Read(steps, name), Throws.TypeOf<ShopStartException>().With.Message.Contains("name"));
    }

    [Test]
    public void Given_a_file_with_a_scenario_of_the_shops_own_name_then_it_takes_that_ones_place()
    {
        string[] own = [.. Scenario.Read(null, Faults())
            .Select(scenario => scenario.Name)];
        IReadOnlyList<Scenario> all = Read("""{"at":7,"traffic":1}""", own[0]);
        Assert.That(all.Select(scenario => scenario.Name), Is.EquivalentTo(own));
        Assert.That(all.Single(scenario => scenario.Name == own[0]).Length, Is.EqualTo(TimeSpan.FromSeconds(7)));
    }

    private IReadOnlyList<Scenario> Read(string steps, string name = "x") =>
        Scenario.Read(Write(steps, name), Faults());

    private string Write(string steps, string name)
    {
        string file = Path.Combine(_directory, "scenarios.json");
        File.WriteAllText(file, $$"""[{"name":"{{name}}","description":"For a test.","steps":[{{steps}}]}]""");
        return file;
    }

    private Stage Begin(string steps, TimeSpan passed = default)
    {
        ShopSettings settings = ShopSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(
            [new("Shop:DataDirectory", _directory), new("Shop:ScenarioFile", Write(steps, "x"))]).Build(), []);
        return new Stage(settings, _clock, passed);
    }

    private static FaultCatalogue Faults() => new(TestSettings.Faults);

    private sealed class Stage : IAsyncDisposable
    {
        private readonly FaultCatalogue _faults;

        public Stage(ShopSettings settings, ManualClock clock, TimeSpan passed)
        {
            if (passed > TimeSpan.Zero)
            {
                // Something waits, or else no time would pass.
                using ITimer timer = clock.CreateTimer(static _ => { }, null, TimeSpan.FromDays(1), TimeSpan.Zero);
                clock.PassAsync(passed).GetAwaiter().GetResult();
            }

            _faults = Faults();
            // Nobody listens there.
            Traffic = new DemoTraffic([], clock, NullLoggerFactory.Instance)
            {
                Source = static () => (new Uri("http://127.0.0.1:1"), new DemoRequest(HttpMethod.Get, "/")),
            };
            Switch = new FaultSwitch(_faults, new FaultTraffic([], clock, NullLoggerFactory.Instance), settings, clock,
                NullLoggerFactory.Instance);
            Player = new ScenarioPlayer(Switch, Traffic, settings, clock, NullLoggerFactory.Instance);
            Switch.StartedAsync(CancellationToken.None).GetAwaiter().GetResult();
            Player.StartedAsync(CancellationToken.None).GetAwaiter().GetResult();
        }

        public DemoTraffic Traffic { get; }

        public FaultSwitch Switch { get; }

        public ScenarioPlayer Player { get; }

        public Scenario Scenario => Player.All[^1];

        public Fault Fault(string name) => _faults.Of(name);

        public decimal? Running(string name) => Fault(name).Run?.Intensity;

        public async ValueTask DisposeAsync()
        {
            await Player.StoppingAsync(CancellationToken.None);
            await Switch.StoppingAsync(CancellationToken.None);
            await Traffic.DisposeAsync();
            Player.Dispose();
        }
    }
}
